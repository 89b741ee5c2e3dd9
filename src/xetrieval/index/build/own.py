"""Chooses the dictionary of an index: the given explainer's, a different explainer's, or one trained on the corpus.

Training needs all vectors first, so the order is encode, train, code. Intermediate files are in INDEX/building.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32
from ...configs import BuildConfig
from ...configs.rule import FEWEST_PASSAGES
from ...encoders import Encoder, read_texts
from ...errors import DamagedError, DivergedError, InputError, MismatchError, MissingExtra
from ...explain import Explainer, load
from ...explain.blank import is_without_features, without_features
from ...explain.folder import SHIPPED
from ...extras import require
from ...files import read_object, write_text
from ...fitting.own import CorpusRows, learn_own
from ...fitting.texts import DrawnSentence, few_sentences
from ...progress import Progress
from ...sae.stack import Stack
from ..store.layout import BUILDING, EXPLAINER, TEXTS, VECTORS, map_array
from ..store.texts import Texts
from .job import Build, Job
from .sentences import Sentences, write_sentences

SENTENCES: Final = "sentences.f32"
LEARNED: Final = "learned.json"
SENTENCE_BLOCK: Final = 512
CORPUS, SHIPPED_ONE = "corpus", "shipped"
DEFAULT_EXPLAINER: Final = "minilm"


class Dictionary(NamedTuple):
    """Which dictionary an index gets, and why."""

    learned: bool
    why: str
    required: bool = False  # the user requested a trained one, so no other may replace it


def base_of(given: Explainer | Encoder, *, cache: Path | bool = True) -> Explainer:
    """The explainer that a build starts from. For an encoder: the shipped one if it is that of the encoder, else one
    without features."""
    if isinstance(given, Explainer):
        return given
    shipped = load(DEFAULT_EXPLAINER, cache=cache)
    if shipped.encoder_identity.differences(given.identity):
        return without_features(given, cache=cache)
    return shipped.with_encoder(given)


def chosen_explainer(explainer: Explainer, dictionary: str | Path | None) -> Explainer:
    """The given explainer, with the dictionary of a different one if `dictionary` names one.

    Raises:
        InputError: there is no such explainer. MismatchError: it is for a different encoder.
    """
    if dictionary is None or dictionary == CORPUS:
        return explainer
    source = DEFAULT_EXPLAINER if dictionary == SHIPPED_ONE else dictionary
    try:
        other = load(source, cache=explainer.cache)
    except InputError as error:
        raise InputError(f"dictionary: {error}; choose corpus, shipped, or the folder of an explainer") from error
    if different := explainer.encoder_identity.differences(other.encoder_identity):
        raise MismatchError(
            f"the dictionary of {source} is for a different encoder from that of {explainer.name}: {different}"
        )
    if other.digest == explainer.digest:
        return explainer
    return replace(
        explainer,
        name=other.name,
        sae=other.sae,
        features=other.features,
        families=other.families,
        provenance=other.provenance,
        metrics={key: value for key, value in other.metrics.items() if key != "pairs"},  # those describe its corpus
    )


def choose(explainer: Explainer, dictionary: str | Path | None, documents: int, *, adding: bool) -> Dictionary:
    """Whether a build trains a dictionary on the corpus.

    Raises:
        InputError: a dictionary for an existing index. MissingExtra: packages for training are not installed.
    """
    if adding:
        if dictionary is not None:
            raise InputError("an index keeps its dictionary; leave out --dictionary when adding to it")
        return Dictionary(learned=False, why="the dictionary of the index")
    few = f"{documents:,} passages; not measured below {FEWEST_PASSAGES}"
    if dictionary == CORPUS or (dictionary is None and is_without_features(explainer)):
        require("numba", "train")
        note = f" ({few})" if documents < FEWEST_PASSAGES else ""
        return Dictionary(learned=True, why=f"learned from this corpus{note}", required=True)
    if dictionary is not None or not is_shipped(explainer):
        return Dictionary(learned=False, why=f"that of {explainer.name}")
    if documents < FEWEST_PASSAGES:
        return Dictionary(learned=False, why=f"the shipped one: the corpus has {few}")
    try:
        require("numba", "train")
    except MissingExtra as error:
        return Dictionary(learned=False, why=f"the shipped one; to learn one from the corpus: {error}")
    return Dictionary(learned=True, why="learned from this corpus")


def is_shipped(explainer: Explainer) -> bool:
    """Whether an explainer is the shipped one, whose features are general."""
    return explainer.name == DEFAULT_EXPLAINER and explainer.digest == _shipped_digest()


@cache
def _shipped_digest() -> str:
    return load(SHIPPED / DEFAULT_EXPLAINER).digest


def is_learned(output: Path) -> bool:
    """Whether the unfinished build in a folder has trained its dictionary."""
    return (output / BUILDING / LEARNED).is_file()


def learned(output: Path, base: Explainer) -> Explainer:
    """The dictionary that an unfinished build has trained.

    Raises:
        DamagedError: the index has a different explainer by now.
    """
    explainer = load(output / EXPLAINER, cache=base.cache).sharing_encoder(base)
    if read_object(output / BUILDING / LEARNED).get("explainer") != explainer.digest:
        raise DamagedError(f"{output / EXPLAINER} is not what this build learned; build again with --restart")
    return explainer


def learn_dictionary(build: Build, config: BuildConfig, plan: Dictionary) -> Explainer:
    """Train a dictionary on the documents whose vectors are in INDEX/building, and save it as INDEX/explainer.

    If a corpus is not trainable (all its vectors are alike), the index uses the given explainer, unless the user
    requested a trained dictionary.

    Raises:
        InputError, DivergedError: training failed, and the user requested it.
    """
    corpus, base, output, _, job, progress = build
    building = output / BUILDING
    drawn: list[DrawnSentence] = []
    if not corpus.encoded:
        progress("draw", 0, job.rows, "sentences")
        drawn = few_sentences((entry.document for entry in corpus.entries()), job.rows)
    vectors = _sentence_vectors(building / SENTENCES, [one.text for one in drawn], base, progress)
    texts = _ShardTexts(building, job)
    try:
        shards = [map_array(building / name / VECTORS, base.sae.dimension) for name in job.names]
        has_text = bool(corpus.sources) or corpus.store is not None

        def text(row: int) -> str:
            return drawn[row - job.rows].text if row >= job.rows else texts.text(row)

        rows = CorpusRows(
            Stack([*shards, vectors]),
            np.array([one.row for one in drawn], np.int64),
            text if has_text else None,
            lambda row: drawn[row - job.rows].id if row >= job.rows else texts.id(row),
            config.seed,
            wholes(texts.shards),
        )
        facts = {"corpus": corpus.facts(), "seed": config.seed}
        explainer = learn_own(rows, base, building, facts, progress, device=config.device)
    except (InputError, DivergedError):
        if plan.required:
            raise
        explainer = base
    finally:
        texts.close()
    folder = output / EXPLAINER
    explainer.save(folder, overwrite=True)
    if explainer is not base:
        write_sentences(folder, Sentences(drawn, vectors))
    kept = load(folder, cache=base.cache).sharing_encoder(base)
    write_text(building / LEARNED, json.dumps({"explainer": kept.digest}) + "\n")
    return kept


def _sentence_vectors(path: Path, texts: list[str], explainer: Explainer, progress: Progress) -> Float32:
    """The vectors [n, m] of sentences: from the file if present there, else encoded and appended to it."""
    width = explainer.sae.dimension
    with path.open("ab") as file:
        done = min(len(texts), path.stat().st_size // (4 * width))
        file.truncate(4 * width * done)
    progress("sentences", done, len(texts), "")
    for start in range(done, len(texts), SENTENCE_BLOCK):
        block = texts[start : start + SENTENCE_BLOCK]
        made = read_texts(explainer.encoder, block, "document").vectors
        with path.open("ab") as file:
            file.write(np.ascontiguousarray(made, "<f4").tobytes())
        progress("sentences", start + len(block), len(texts), "")
    return np.fromfile(path, "<f4").reshape(-1, width)


PARENTS: Final = "SELECT parent FROM documents ORDER BY row"


def wholes(shards: Iterable[Texts]) -> NDArray[np.int64]:
    """A number for each row; chunks of the same document have the same number."""
    numbers: dict[str, int] = {}
    parents = (parent for one in shards for (parent,) in one.select(PARENTS, ()))
    found = [row if parent is None else numbers.setdefault(parent, row) for row, parent in enumerate(parents)]
    return np.array(found, np.int64)


class _ShardTexts:
    """Texts and ids of the documents of unfinished shards, by row of the build."""

    def __init__(self, building: Path, job: Job) -> None:
        self.starts = np.concatenate([[0], np.cumsum(job.sizes)]).tolist()
        self.shards = [Texts(building / name / TEXTS, writable=True) for name in job.names]

    def text(self, row: int) -> str:
        return self._one("text", row)

    def id(self, row: int) -> str:
        return self._one("id", row)

    def _one(self, column: str, row: int) -> str:
        place = bisect_right(self.starts, row) - 1
        shard = self.shards[place]
        found = shard.select(f"SELECT {column} FROM documents WHERE row = ?", (row - self.starts[place],))
        return str(found[0][0])

    def close(self) -> None:
        for shard in self.shards:
            shard.close()
