"""Ranking by words: BM25 (bm25s), and a weighted sum of it with the dense score.

    hybrid  (1 - w) <q, z> + w BM25(q, d) / max_d BM25(q, d)

The lexical part of either is explained word by word.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ...arrays import Float32, Float64
from ...errors import InputError
from ...explain import Breakdown, Explanation, Part
from ...extras import require
from ...files import alone, check_writable
from ...files.atomic import scratch_beside
from ..store.manifest import read_index_manifest
from ..store.sealed import check_seal, write_seal
from .dense import RERANKED, Ranked, best, dense

if TYPE_CHECKING:
    from ..index import Index, Rows

SEAL: Final = "seal.json"
FOLDER: Final = re.compile(r"bm25-\d{6,}")
METHOD: Final = "lucene"
_COUNTING: Final = threading.Lock()


class Lexicon:
    """The BM25 scores of every word in every document: a sparse matrix by word. Deleted documents are not counted."""

    def __init__(self, retriever: Any, package: Any, index: Index) -> None:
        self._retriever, self._package, self._rows = retriever, package, index.manifest.rows
        self._alive = _alive(index)
        self.scores = lru_cache(maxsize=8)(self._scores)  # a ranking and its explanations ask for the same ones

    def words(self, query: str) -> list[tuple[str, int]]:
        """The query's words that some document has, with their numbers; a repeated word counts so many times."""
        tokens = self._package.tokenize([query], stopwords="en", return_ids=False, show_progress=False)[0]
        vocabulary = self._retriever.vocab_dict
        return [(token, int(vocabulary[token])) for token in tokens if token in vocabulary]

    def parts(self, query: str, row: int) -> dict[str, float]:
        """What each word of the query adds to a row's score."""
        out: dict[str, float] = {}
        for token, word in self.words(query):
            at, values = self._column(word)
            place = np.flatnonzero(at == row)
            if len(place):
                out[token] = out.get(token, 0.0) + float(values[place[0]])
        return out

    def _scores(self, query: str) -> Float64:
        """BM25 of every row, [rows]; deleted ones have 0."""
        out = np.zeros(self._rows)
        for _, word in self.words(query):
            at, values = self._column(word)
            out[at] += values
        return out

    def _column(self, word: int) -> tuple[Rows, Float64]:
        """Rows that have a word, and its score in each."""
        matrix = self._retriever.scores
        low, high = int(matrix["indptr"][word]), int(matrix["indptr"][word + 1])
        return self._alive[matrix["indices"][low:high]], matrix["data"][low:high].astype(np.float64)


def bm25(index: Index, query: str, k: int, among: Rows | None) -> Ranked:
    """Top k by BM25; documents without any word of the query are not found."""
    scores = index.lexicon.scores(query)
    rows = np.flatnonzero(scores > 0) if among is None else among[scores[among] > 0]
    return best(rows, scores[rows], k)


def hybrid(index: Index, query: str, q: Float32, k: int, among: Rows | None, share: float) -> Ranked:
    """Top k of the weighted sum, among the best 1,000 of either ranking."""
    first = [dense(index, q, max(k, RERANKED), among).rows, bm25(index, query, max(k, RERANKED), among).rows]
    rows = np.unique(np.concatenate(first))
    cosine = index.vectors(rows).astype(np.float64) @ q.astype(np.float64)
    return best(rows, (1 - share) * cosine + share * index.lexicon.scores(query)[rows] / _largest(index, query), k)


def breakdowns(index: Index, query: str, rows: Rows) -> list[Breakdown]:
    """BM25 scores, word by word."""
    lexicon = index.lexicon
    out = []
    for row in rows.tolist():
        parts, document = _words(lexicon.parts(query, row), 1.0), index.document(row)
        score = float(index.lexicon.scores(query)[row])
        out.append(Breakdown(score, "bm25", parts, doc_id=document.id, query=query, document=document.text))
    return out


def hybrid_breakdowns(
    index: Index, query: str, explained: Sequence[Explanation], rows: Rows, share: float
) -> list[Breakdown]:
    """Hybrid scores: words for the lexical part, features for the dense one."""
    lexicon, scale = index.lexicon, share / _largest(index, query)
    out = []
    for one, row in zip(explained, rows.tolist(), strict=True):
        features = [Part("feature", f.name, (1 - share) * f.share, f.id) for f in one.features]
        words = _words(lexicon.parts(query, row), scale)
        out.append(
            Breakdown(
                score=(1 - share) * one.score + scale * float(index.lexicon.scores(query)[row]),
                mode="hybrid",
                parts=tuple(sorted([*features, *words], key=lambda part: -part.share)),
                bias=(1 - share) * one.bias,
                remainder=(1 - share) * one.remainder,
                note=f"{1 - share:g} × cosine, by features, and {share:g} × BM25 over the query's best, by words",
                doc_id=one.doc_id,
                query=query,
                document=one.document,
            )
        )
    return out


def _words(parts: dict[str, float], scale: float) -> tuple[Part, ...]:
    found = sorted(parts.items(), key=lambda item: -item[1])
    return tuple(Part("word", f'"{word}"', scale * value) for word, value in found)


def _largest(index: Index, query: str) -> float:
    return float(index.lexicon.scores(query).max()) or 1.0


def open_lexicon(index: Index) -> Lexicon:
    """The words of this generation of an index, counted at first use and kept in its folder.

    Raises:
        InputError: an index without texts. MissingExtra: bm25s is not installed.
    """
    with _COUNTING:
        return _lexicon(index)


def _lexicon(index: Index) -> Lexicon:
    package = require("bm25s", "index")
    home = index.folder / f"bm25-{index.manifest.generation:06d}"
    if not home.is_dir():
        if not any(text.strip() for text in _some(index)):
            raise InputError(f"{index.folder}: built from vectors alone; without texts there are no words to search")
        if not len(index):
            raise InputError(f"{index.folder}: every document in this index was deleted")
        retriever = _count(index, package)
        now = read_index_manifest(index.folder).generation
        if now != index.manifest.generation or not os.access(index.folder, os.W_OK):
            return Lexicon(retriever, package, index)  # an older state, or a reader's index: not kept
        _keep(retriever, home)
    check_seal(home / SEAL)
    loaded = package.BM25.load(home, mmap=True, load_corpus=False, show_progress=False)
    return Lexicon(loaded, package, index)


def _count(index: Index, package: Any) -> Any:
    alive = np.zeros(index.manifest.rows, bool)
    alive[_alive(index)] = True
    texts = [one.text for shard in index.shards for one in shard.texts.all() if alive[shard.first + one.row]]
    tokens = package.tokenize(texts, stopwords="en", show_progress=False)
    retriever = package.BM25(method=METHOD)
    retriever.index(tokens, show_progress=False)
    return retriever


def _alive(index: Index) -> Rows:
    """Rows that were not deleted, ascending."""
    return np.setdiff1d(np.arange(index.manifest.rows), index.deleted, assume_unique=True)


def _keep(retriever: Any, home: Path) -> None:
    check_writable(home.parent)
    with alone(home.with_suffix(".lock"), f"{home}: another process is counting the words there; try again soon"):
        if home.is_dir():
            return
        scratch = scratch_beside(home)
        try:
            scratch.mkdir()
            retriever.save(scratch, show_progress=False)
            write_seal(scratch / SEAL, sorted(path for path in scratch.iterdir()))
            scratch.rename(home)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            for old in sorted(home.parent.iterdir()):
                if FOLDER.fullmatch(old.name) and old.is_dir() and old.name < home.name:
                    shutil.rmtree(old, ignore_errors=True)


def _some(index: Index) -> Iterator[str]:
    for shard in index.shards:
        for place, document in enumerate(shard.texts.all()):
            if place == 100:
                break
            yield document.text
