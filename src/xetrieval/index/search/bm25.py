"""Ranking by words: BM25 (bm25s). The first search counts the words of an index and stores the counts beside it."""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np

from ...arrays import Float64
from ...errors import DamagedError, InputError
from ...explain import Explanation
from ...extras import require
from ...files import alone, check_writable, check_written
from ...files.atomic import naming
from ...files.scratch import scratch, sweep_beside
from ..store.layout import WORDS
from ..store.manifest import Manifest, read_index_manifest
from ..store.reader import IndexReader, Rows
from ..store.sealed import check_seal, write_seal
from .mode import Query, Ranked, Ranking, best, by_generation, word

SEAL: Final = "seal.json"
FOLDER: Final = re.compile(rf"{WORDS}-(\d{{6,}})")
METHOD: Final = "lucene"
PROBED: Final = 100  # documents per shard that are checked for text
_COUNTING: Final = threading.Lock()


class Lexicon:
    """The BM25 score of every word in every document: a sparse matrix by word. Deleted documents are left out."""

    def __init__(self, retriever: Any, package: ModuleType, alive: Rows) -> None:
        self._retriever, self._package, self._alive = retriever, package, alive

    def counted(self, query: str) -> list[str]:
        """The words of a text that BM25 counts: not words of one letter, nor common English words."""
        tokens = self._package.tokenize([query], stopwords="en", return_ids=False, show_progress=False)
        return list(tokens[0])

    def words(self, tokens: Iterable[str]) -> list[tuple[str, int]]:
        """The words that occur in the index, with their numbers; repeated words stay repeated."""
        vocabulary = self._retriever.vocab_dict
        return [(token, int(vocabulary[token])) for token in tokens if token in vocabulary]

    def column(self, word: int) -> tuple[Rows, Float64]:
        """The rows that contain a word, and its score in each."""
        matrix = self._retriever.scores
        low, high = int(matrix["indptr"][word]), int(matrix["indptr"][word + 1])
        return self._alive[matrix["indices"][low:high]], matrix["data"][low:high].astype(np.float64)


class Bm25(Ranking):
    """Ranking by BM25. Documents without any word of the query are not found.

    Raises:
        InputError: a query without any word that BM25 counts, unless words are only a part of the ranking.
    """

    def __init__(self, index: IndexReader, query: Query, *, part: bool = False) -> None:
        super().__init__(index, query)
        lexicon = index.companion(open_lexicon)
        tokens = lexicon.counted(query.text)
        if not tokens and not part:
            raise InputError(
                "query: BM25 counts none of its words (it leaves out words of one letter and common English words); "
                "rank by dense"
            )
        self.columns = [(token, *lexicon.column(number)) for token, number in lexicon.words(tokens)]
        self.scores: Float64 = np.zeros(index.manifest.rows)
        for _, rows, values in self.columns:
            self.scores[rows] += values

    def rank(self, k: int, among: Rows | None) -> Ranked:
        """The best k rows. Filters do not change the scores of words."""
        rows = np.flatnonzero(self.scores > 0) if among is None else among[self.scores[among] > 0]
        return best(rows, self.scores[rows], k)

    def split(self, rows: Rows) -> list[Explanation]:
        """Split each score by word."""
        return [
            self.taken_apart((word(*item) for item in self.shares(row).items()), score=float(self.scores[row]))
            for row in rows.tolist()
        ]

    def shares(self, row: int) -> dict[str, float]:
        """What each word of the query adds to a row's score."""
        out: dict[str, float] = {}
        for token, rows, values in self.columns:
            positions = np.flatnonzero(rows == row)
            if len(positions):
                out[token] = out.get(token, 0.0) + float(values[positions[0]])
        return out

    @classmethod
    def seals(cls, folder: Path) -> Iterable[Path]:
        """The seals of all generations. Counts are published with their seal, so a folder without one is damaged."""
        return (path / SEAL for path in by_generation(folder, FOLDER) if path.is_dir())

    @classmethod
    def stale(cls, folder: Path, manifest: Manifest) -> Iterable[Path]:
        """Word counts of other generations."""
        counted = by_generation(folder, FOLDER).items()
        return [path for path, generation in counted if generation != manifest.generation and path.is_dir()]


MODE = Bm25


def open_lexicon(index: IndexReader) -> Lexicon:
    """The word counts of this generation of an index, made at first use and stored in its folder.

    Raises:
        InputError: an index without texts. MissingExtra: bm25s is not installed.
    """
    with _COUNTING:
        return _open(index)


def _open(index: IndexReader) -> Lexicon:
    package = require("bm25s", "index")
    home = index.folder / f"{WORDS}-{index.manifest.generation:06d}"
    if not home.is_dir():
        if not any(text.strip() for shard in index.shards for text in shard.texts.first_texts(PROBED)):
            raise InputError(f"{index.folder}: built from vectors alone; without texts there are no words to search")
        if not len(index):
            raise InputError(f"{index.folder}: every document in this index was deleted")
        retriever = _count(index, package)
        now = read_index_manifest(index.folder).generation
        if now != index.manifest.generation or not os.access(index.folder, os.W_OK):
            return Lexicon(retriever, package, index.alive)  # not stored: an old generation or a read-only folder
        _keep(retriever, home)
    check_seal(home / SEAL)
    try:
        loaded = package.BM25.load(home, mmap=True, load_corpus=False, show_progress=False)
    except (ValueError, EOFError, KeyError, TypeError) as error:  # written like this: their seal is valid
        raise DamagedError(f"{home}: cannot be read ({error}); remove it; the next search recreates it") from error
    return Lexicon(loaded, package, index.alive)


def _count(index: IndexReader, package: Any) -> Any:
    alive = np.zeros(index.manifest.rows, bool)
    alive[index.alive] = True
    texts = [one.text for shard in index.shards for one in shard.texts.all() if alive[shard.first + one.row]]
    tokens = package.tokenize(texts, stopwords="en", show_progress=False)
    if not any(tokens.ids):
        raise InputError(f"{index.folder}: no document has a word of two letters or more; rank by dense")
    retriever = package.BM25(method=METHOD)
    retriever.index(tokens, show_progress=False)
    return retriever


def _keep(retriever: Any, home: Path) -> None:
    check_writable(home.parent)
    with alone(home.with_suffix(".lock"), f"{home}: locked: another process is counting the words; try again soon"):
        if home.is_dir():
            return
        sweep_beside(home, alone=True)
        with scratch(home) as made, naming(home):
            made.mkdir()
            retriever.save(made, show_progress=False)
            for path in made.glob("*.npy"):
                check_written(path)
            write_seal(made / SEAL, sorted(made.iterdir()))
            made.rename(home)
    counted = by_generation(home.parent, FOLDER)
    for old in [path for path, generation in counted.items() if generation < counted[home] and path.is_dir()]:
        shutil.rmtree(old, ignore_errors=True)
