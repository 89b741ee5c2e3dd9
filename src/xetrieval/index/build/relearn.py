"""Retrains the dictionary of an index on its current content, from its stored vectors.

The old dictionary stays in use until the new one is complete: config.json names the explainer and the shards, and is
replaced at the end. A killed run is resumed by the same command; another change of the index discards it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from ...errors import InputError
from ...explain import load
from ...explain.folder import write_explainer
from ...extras import require
from ...files import digest_of, path_of, write_text
from ...fitting.own import CorpusRows, learn_own, lost_labels
from ...labels.relabel import history_of
from ...progress import Progress, silent
from ...sae.stack import Stack
from ..store.layout import BUILDING
from ..store.manifest import Manifest, read_index_manifest
from ..store.ours import begin_building, check_finished, is_rewrite, remove_unfinished, writing
from ..store.reader import IndexReader, Rows
from .compact import clean, document_of
from .corpus import Corpus
from .own import LEARNED, wholes
from .pipeline import VECTOR_BLOCK, stored_explainer, write_manifest_with
from .sentences import Sentences, read_sentences, write_sentences
from .shards import ShardMaker

NOT_FACTS: Final = ("encoded_with", "added", "updated", "read")  # not about the dictionary


class Relearned(NamedTuple):
    """Which features were kept, lost or new."""

    kept: int  # features that kept id and label
    new: int
    lost: int
    lost_labels: dict[str, str]  # human-written labels, by id, of features lost now or earlier
    documents: int
    replaced: str = ""  # the replaced dictionary, if it was not trained on this corpus; then all ids are new


def relearn_index(folder: Path, seed: int = 0, progress: Progress = silent) -> Relearned:
    """Retrain the dictionary of an index on the vectors of its documents and of the stored sentences.

    Features that reappear keep their ids and labels. New ones get new ids; ids of lost ones are not reused. If the
    index's dictionary was not trained on its corpus, all features are new.

    Raises:
        InputError: an unfinished build, another process writes the index, or there is nothing to train on.
        MissingExtra: packages for training are not installed.
    """
    require("numba", "train")
    folder = path_of(folder)
    read_index_manifest(folder)
    with writing(folder):
        manifest = read_index_manifest(folder)
        check_finished(folder)
        job = digest_of([manifest.job, manifest.generation, seed, "relearn"])
        if not is_rewrite(folder / BUILDING, manifest.job):  # else it was killed after publishing
            if not is_rewrite(folder / BUILDING, job):
                remove_unfinished(folder, manifest)
                begin_building(folder, {"rewrite": job})
            manifest = _relearn(folder, manifest, job, seed, progress)
        clean(folder, manifest)
        made = load(folder / manifest.explainer_folder)
        return Relearned(
            kept=made.provenance.get("carried_over", 0),
            new=made.provenance.get("new_features", made.sae.features),
            lost=made.provenance.get("lost_features", 0),
            lost_labels=made.provenance.get("lost_labels", {}),
            documents=manifest.alive,
            replaced=made.provenance.get("replaced", ""),
        )


def _relearn(folder: Path, manifest: Manifest, job: str, seed: int, progress: Progress) -> Manifest:
    if not manifest.alive:
        raise InputError(f"{folder}: every document in it was deleted; there is nothing to learn from")
    index = IndexReader.open(folder)
    name = manifest.next_explainer
    target, learned = folder / name, folder / BUILDING / LEARNED
    if not learned.is_file():
        _learn(index, target, seed, progress)
    explainer = load(target, cache=index.explainer.cache)
    maker = ShardMaker(Corpus(()), explainer, folder, VECTOR_BLOCK, "code")
    shards = maker.code_again(index.shards, manifest.next_shard, progress, words=index.learned_here)
    made = replace(
        manifest,
        generation=manifest.generation + 1,
        job=job,
        explainer=stored_explainer(explainer, target),
        features=explainer.sae.features,
        shards=shards,
    )
    return write_manifest_with(folder, made, index.deleted)


def _learn(index: IndexReader, target: Path, seed: int, progress: Progress) -> None:
    """Train, and save the explainer with the vectors of the sentences."""
    base, manifest = index.explainer, index.manifest
    rows = index.alive
    old = index.folder / manifest.explainer_folder
    progress("draw", 0, len(rows), "sentences")
    sentences = read_sentences(old, (document_of(index.document(row)) for row in rows.tolist()), manifest.dimension)
    facts: dict[str, Any] = {"corpus": _corpus_facts(manifest), "seed": seed, "additions": len(manifest.made_from)}
    if base.removal is not None:
        facts["removed_labels"] = base.provenance.get("removed_labels", {})
    if not index.learned_here:
        facts |= {"replaced": base.name, "lost_labels": lost_labels(base.features)}
    learned = learn_own(
        _corpus_rows(index, rows, sentences, seed),
        base,
        index.folder / BUILDING,
        facts,
        progress,
        again=index.learned_here,
    )
    write_explainer(learned, target, overwrite=target.exists(), part=True, history=history_of(old))
    write_sentences(target, sentences)
    write_text(index.folder / BUILDING / LEARNED, json.dumps({"explainer": learned.digest}) + "\n")


def _corpus_facts(manifest: Manifest) -> dict[str, Any]:
    return {key: value for key, value in manifest.made_from[0].items() if key not in NOT_FACTS}


def _corpus_rows(index: IndexReader, rows: Rows, sentences: Sentences, seed: int) -> CorpusRows:
    """The documents that were not deleted, then sentences."""
    parts = []
    for shard in index.shards:
        alive = rows[(rows >= shard.first) & (rows < shard.first + shard.rows)] - shard.first
        parts.append(shard.vectors if len(alive) == shard.rows else _Alive(shard.vectors, alive))
    count = len(rows)

    def text(row: int) -> str:
        return index.document(int(rows[row])).text if row < count else sentences.drawn[row - count].text

    def name(row: int) -> str:
        return index.document(int(rows[row])).id if row < count else sentences.drawn[row - count].id

    return CorpusRows(
        Stack([*parts, sentences.vectors]),
        np.array([one.row for one in sentences.drawn], np.int64),
        text if any(event["sources"] for event in index.manifest.made_from) else None,
        name,
        seed,
        wholes(shard.texts for shard in index.shards)[rows],
    )


class _Alive:
    """Some rows of a matrix, which is not copied."""

    ndim = 2

    def __init__(self, matrix: Any, rows: Rows) -> None:
        self.matrix, self.rows, self.shape = matrix, rows, (len(rows), matrix.shape[1])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Rows) -> Any:
        return self.matrix[self.rows[rows]]
