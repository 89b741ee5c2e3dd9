"""Builds an index from a corpus, shard by shard. After an interruption, the same call resumes.

Unfinished work is in INDEX/building. Replacing config.json publishes it in one step, so readers see the index either as
it was before or as it is afterwards.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...configs import BuildConfig
from ...encoders import Encoder, precision_of
from ...errors import InputError, MismatchError
from ...explain import Explainer, load
from ...explain.folder import write_explainer
from ...files import path_of, read_object, sha256_of_file, write_bytes, write_text
from ...files.kind import NAME as CONFIG
from ...files.kind import check_outside_indexes
from ...fitting.own import OWN
from ...progress import Progress, silent
from ...sae.train.config import check_device
from ..store.layout import EXPLAINER, KIND, RECORD, SHARDS, TYPES
from ..store.manifest import DeletedRows, IndexExplainer, Manifest, read_index_manifest
from ..store.ours import (
    DELETED,
    abandon_rewrite,
    end_building,
    own_files,
    writing,
)
from ..store.reader import IndexReader
from ..store.same_encoder import check_same_encoder
from .corpus import Corpus, Survey, survey
from .corpus_vectors import check_corpus_vectors
from .job import Build, begun, resumed
from .own import Dictionary, base_of, choose, chosen_explainer, is_learned, learn_dictionary, learned
from .shards import build_in_loop

TEXT_BLOCK, VECTOR_BLOCK = 512, 8192  # documents that a killed run may have to repeat


class Built(NamedTuple):
    """The outcome of a build."""

    added: int
    updated: int
    unchanged: int
    removed: int  # old chunks of documents that were cut differently
    documents: int  # number of documents now in the index
    unreadable: int = 0  # new documents of which the encoder knows at most half the tokens
    dictionary: str = ""  # the dictionary that was chosen, and why
    words: bool = True  # whether the words of the new documents are stored
    cut: str = ""  # how many documents of the corpus were cut into how many chunks, and why; empty if none was
    unread: int = 0  # tokens of new documents past the encoder's limit
    longer: int = 0  # new documents with such tokens
    learned: bool = False  # whether a dictionary was trained on the corpus


def build_index(
    corpus: Corpus,
    explainer: Explainer | Encoder,
    output: str | Path,
    config: BuildConfig | None = None,
    progress: Progress = silent,
) -> Built:
    """Build an index in the folder `output`, or add to an existing one. With an encoder, it learns its own features.

    Documents with a new id are added. Documents whose text or metadata changed replace the old ones, including their
    chunks. Documents that are not in the corpus stay. Replaced texts are no longer found, but stay in the index's
    files until `compact_index` is called.

    Raises:
        InputError: a line that cannot be used, a duplicate id, an unfinished build of something else, or a lock held by
        another process. MismatchError: the index was made with a different explainer.
    """
    config, output = config or BuildConfig(), path_of(output)
    config = replace(config, block=config.block or (VECTOR_BLOCK if corpus.encoded else TEXT_BLOCK))
    _check_outside(output, corpus)
    explainer = chosen_explainer(base_of(explainer), config.dictionary)
    with writing(output):
        manifest = read_index_manifest(output) if (output / CONFIG).is_file() else None
        if not corpus.encoded:
            corpus = corpus.cut_for(explainer.encoder, None if manifest is None else manifest.chunking)
        looked = survey(corpus, explainer.sae.dimension, progress)
        plan = choose(explainer, config.dictionary, looked.documents, adding=config.adding)
        if plan.learned:
            check_device(config.device)
        if manifest is not None:
            if not plan.learned:
                _same_explainer(output, manifest, explainer)
            abandon_rewrite(output, manifest)
            if not corpus.encoded:
                check_same_encoder(IndexReader.open(output), explainer.encoder)
        if corpus.encoded and not config.force:
            check_corpus_vectors(corpus, explainer)
        facts = _facts(corpus, explainer, config, looked, plan)
        job = resumed(output, manifest, config, facts)
        job = job or begun(corpus, looked.documents, output, manifest, config, facts)
        if (
            manifest is None or manifest.job != job.digest
        ):  # else it was built before, or killed between the last two steps
            build = _make_shards(Build(corpus, explainer, output, manifest, job, progress), config, plan)
            if job.rows or job.removed:
                manifest = _publish(build)
        end_building(output)
        assert manifest is not None  # a new index has documents: the survey refuses an empty corpus
        counts = job.added, job.updated, job.unchanged, job.removed
        words = job.words and all(manifest.has_words[-len(job.sizes) :])
        read, cut = job.read(output), "" if corpus.cutter is None else corpus.cutter.summary
        described = _described(plan, manifest), words, cut
        return Built(*counts, manifest.alive, read.unreadable, *described, read.unread, read.longer, plan.learned)


def _facts(corpus: Corpus, explainer: Explainer, config: BuildConfig, looked: Survey, plan: Dictionary) -> list[Any]:
    """What determines the result of a build, apart from the index that it adds to."""
    precision = None if corpus.encoded else precision_of(explainer.encoder)
    facts: list[Any] = [looked.digest, explainer.digest, precision, corpus.facts(), config.shard_rows, config.block]
    facts += [["learned", config.seed, *([config.device] if config.device != "cpu" else [])]] if plan.learned else []
    return [*facts, "no words"] if config.no_words else facts


def _make_shards(build: Build, config: BuildConfig, plan: Dictionary) -> Build:
    """Make all shards. Returns the build with the explainer that made their codes."""
    if config.engine == "ray":
        from .engines.ray import build_shards
    else:
        build_shards = build_in_loop
    output = build.output
    if not plan.learned:
        build = build._replace(explainer=_kept(build.explainer, output, build.base))
        if build.job.rows:
            build_shards(build, "whole")
        return build
    if is_learned(output):
        build = build._replace(explainer=learned(output, build.explainer))
    else:
        build = build._replace(explainer=_kept(build.explainer, output, None))
        build_shards(build, "encode")
        build = build._replace(explainer=learn_dictionary(build, config, plan))
    build_shards(build, "code")
    return build


def _described(plan: Dictionary, manifest: Manifest) -> str:
    """Which dictionary an index has, and why."""
    if plan.learned and not manifest.explainer.name.endswith(OWN):
        return f"that of {manifest.explainer.name}: nothing can be learned from this corpus's vectors"
    return plan.why


def _same_explainer(output: Path, manifest: Manifest, explainer: Explainer) -> None:
    if manifest.explainer.digest != explainer.digest:
        raise MismatchError(
            f"{output} was built by the explainer {manifest.explainer.name} of {manifest.explainer.encoder}, whose "
            f"weights differ from those of {explainer.name}; add with the same one, or build a new index"
        )


def _kept(explainer: Explainer, output: Path, base: Manifest | None) -> Explainer:
    """The explainer as the index stores it, so that vectors are encoded with the weights that will explain them.

    A published index keeps its own explainer, with its labels. One saved by an interrupted build is replaced, because
    labels may have changed since.
    """
    folder = output / (EXPLAINER if base is None else base.explainer_folder)
    if base is None or not (folder / CONFIG).is_file():
        write_explainer(explainer, folder, overwrite=True, part=True)
    return load(folder, cache=explainer.cache).sharing_encoder(explainer)


def _check_outside(output: Path, corpus: Corpus) -> None:
    check_outside_indexes(output)
    place = Path(os.path.realpath(output))
    for source in corpus.sources:
        if source.is_dir() and Path(os.path.realpath(source)) in place.parents:
            raise InputError(
                f"{output}: inside the corpus folder {source}, so the index's own files would be read as documents; "
                "choose another output"
            )


def _publish(build: Build) -> Manifest:
    corpus, explainer, output, base, job, _ = build
    made = [{"name": name, **read_object(output / SHARDS / name / RECORD)} for name in job.names]
    place = output / (EXPLAINER if base is None else base.explainer_folder)
    old = np.empty(0, np.int64) if base is None else base.deleted_rows(output)
    encoded_with = (
        {**explainer.encoder.identity.to_dict(), "precision": precision_of(explainer.encoder)}
        if not corpus.encoded
        else None
    )
    facts = {**corpus.facts(), "encoded_with": encoded_with, "added": job.added, "updated": job.updated}
    event = {**facts, "read": asdict(job.read(output))}
    manifest = Manifest(
        generation=job.base + 1,
        job=job.digest,
        explainer=stored_explainer(explainer, place),
        dimension=explainer.sae.dimension,
        features=explainer.sae.features,
        views=tuple(explainer.views),
        shards=(*(() if base is None else base.shards), *made),
        deleted=DeletedRows(0, ""),
        files={},
        format_version=KIND.version,
        made_from=(*(() if base is None else base.made_from), event),
    )
    return write_manifest_with(output, manifest, np.union1d(old, job.gone))


def stored_explainer(explainer: Explainer, place: Path) -> IndexExplainer:
    """What the manifest of an index says about its explainer, which is in the folder `place`."""
    return IndexExplainer(
        explainer.name,
        explainer.digest,
        explainer.encoder_identity.name,
        {name: sha256_of_file(place / name) for name in own_files(place)},
        "" if place.name == EXPLAINER else place.name,
        explainer.removed,
    )


def write_manifest_with(output: Path, manifest: Manifest, gone: NDArray[np.int64]) -> Manifest:
    """Write the deleted rows, then config.json: readers see the change when config.json is replaced."""
    content = np.ascontiguousarray(gone, TYPES["u64"]).tobytes()
    deleted = DeletedRows(len(gone), sha256(content).hexdigest() if len(gone) else "")
    manifest = replace(manifest, deleted=deleted, format_version=KIND.version)
    if len(gone):
        write_bytes(output / manifest.deleted_file, content)
    write_text(output / CONFIG, json.dumps(manifest.to_dict(), indent=1, ensure_ascii=False) + "\n")
    remove_stale_rows(output, manifest)
    return manifest


def remove_stale_rows(output: Path, manifest: Manifest) -> None:
    """Remove the deleted rows of earlier generations."""
    for path in sorted(output.iterdir()):
        if DELETED.fullmatch(path.name) and path.name != manifest.deleted_file:
            path.unlink(missing_ok=True)
