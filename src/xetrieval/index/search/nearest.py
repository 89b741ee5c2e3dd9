"""The nearest vectors, found by a scan of all vectors or by an engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from ...arrays import Float32, Float64
from ...errors import InputError
from ...registry import SEARCH_ENGINES
from ..store.layout import VECTORS
from ..store.ours import writing
from ..store.reader import IndexReader, Rows
from ..store.sealed import check_numbers
from ..store.shard import Shard
from .mode import Companion, Ranked, best

LARGE: Final = 200_000  # from this many documents, an engine is worthwhile


class Made(NamedTuple):
    """The files that an engine has made for an index."""

    bytes: int
    recall_at_10: float  # compared with an exact scan


class Engine(Companion, ABC):
    """A faster way to find the nearest vectors. Each engine's file sets `ENGINE` to an instance."""

    @abstractmethod
    def make(self, index: IndexReader) -> Made:
        """Write its files, except those that exist already."""

    @abstractmethod
    def ready(self, index: IndexReader, k: int) -> bool:
        """Whether all the engine's files exist, and it is faster than a scan for k documents."""

    @abstractmethod
    def nearest(self, index: IndexReader, q: Float32, k: int) -> Ranked:
        """The best k rows, with their exact scores."""


def engine(name: str) -> Engine:
    """An engine of `registry`.

    Raises:
        InputError: there is no such engine.
    """
    if name not in SEARCH_ENGINES:
        raise InputError(f"engine {name[:40]!r}: choose one of {', '.join(SEARCH_ENGINES)}")
    found: Engine = import_module(f"{__package__}.engines.{name}").ENGINE
    return found


def has_engine_files(folder: Path) -> bool:
    """Whether any engine has made files for this index."""
    return folder.is_dir() and any(True for name in SEARCH_ENGINES for _ in engine(name).seals(folder))


def accelerate(index: IndexReader, name: str) -> Made:
    """Make the files of an engine.

    Raises:
        MissingExtra: the package it needs is not installed. InputError: another process is writing this index, or the
            index has changed since it was opened.
    """
    made_by = engine(name)
    with writing(index.folder):
        if not index.is_current():
            raise InputError(f"{index.folder}: has changed since it was opened; open it again")
        if not len(index):
            raise InputError(f"{index.folder}: every document in it was deleted; there is nothing to accelerate")
        return made_by.make(index)


def nearest(index: IndexReader, q: Float32, k: int, among: Rows | None = None, *, approximate: bool = False) -> Ranked:
    """Top k by cosine.

    Args:
        among: only these rows, ascending.
        approximate: allow engines that may miss a few documents.
    """
    if among is not None:
        return best(among, exact_scores(index, q, among), k)
    for name, facts in SEARCH_ENGINES.items():
        if (approximate or facts.exact) and engine(name).ready(index, k):
            return engine(name).nearest(index, q, k)
    rows, values = np.empty(0, np.int64), np.empty(0, np.float64)
    least = -np.inf  # a score that at least k documents reach
    for shard in index.shards:
        scores = shard_scores(index, shard, q)
        top = np.flatnonzero(scores >= least) if np.isfinite(least) else np.flatnonzero(np.isfinite(scores))
        rows, values = best(
            np.concatenate([rows, top + shard.first]), np.concatenate([values, scores[top].astype(np.float64)]), k
        )
        if len(values) == k:
            least = values[-1]
    return Ranked(rows, values)


def exact_scores(index: IndexReader, q: Float32, rows: Rows) -> Float64:
    """<q, z> of some rows."""
    with np.errstate(all="ignore"):
        scores = index.vectors(rows) @ q
    check_numbers(scores, index.folder)
    return scores.astype(np.float64)


def shard_scores(index: IndexReader, shard: Shard, q: Float32) -> Float32:
    """<q, z> of every document of a shard; -inf for deleted ones."""
    with np.errstate(all="ignore"):
        scores: Float32 = shard.vectors @ q
    check_numbers(scores, shard.folder / VECTORS)
    scores[deleted_in(index, shard)] = -np.inf
    return scores


def deleted_in(index: IndexReader, shard: Shard) -> Rows:
    """The deleted rows of a shard, numbered within the shard."""
    low, high = np.searchsorted(index.deleted, (shard.first, shard.first + shard.rows))
    return index.deleted[low:high] - shard.first
