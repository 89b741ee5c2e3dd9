"""The k largest scores of each row, exactly, several times faster than a full partition; the scores above thresholds.

Much work goes to the compiled loops of training where numba is at hand. In NumPy alone: columns are dealt into G
groups. The k-th largest of a row's G group maxima is a lower bound of its k-th largest score: k groups each hold a
score at least as large. So every score worth keeping is at or above that bound; the few that are (k and a half or so)
are gathered, and only they are partitioned.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Ids

GROUPS_PER_K: Final = 4  # more groups, a tighter bound; fewer, a cheaper one
WORTH_LOADING: Final = 1 << 26  # scores to select from; below, loading the loops takes longer than they save


def top_k(scores: Float32, k: int, of: int | None = None) -> NDArray[np.integer[Any]]:
    """Column ids of the k largest entries of each row of `scores` [n, F], unordered, [n, k].

    Where scores tie at the k-th place, any of the tied columns may be kept.

    Args:
        of: scores in the whole job that this is a tile of; says whether the compiled loops are worth loading.
    """
    loops = _compiled(of or scores.size)
    if loops is None:
        return top_k_by_groups(scores, k)
    ids, values = np.empty((len(scores), k), np.int32), np.empty((len(scores), k), np.float32)
    loops.top_k(np.ascontiguousarray(scores), k, loops.threads(), ids, values)
    return ids


def above(scores: Float32, bounds: Float32) -> tuple[NDArray[np.int64], Ids, Float32]:
    """Counts [n] of scores over the bound of their column, and those columns and scores row by row."""
    over = scores > bounds
    ids = np.flatnonzero(over)
    return over.sum(axis=1), (ids % scores.shape[1]).astype(np.int32), scores.reshape(-1)[ids]


def _compiled(scores: int) -> Any:
    """The loops of training, if they are loaded or worth loading, and numba is installed."""
    if "numba" not in sys.modules and (scores < WORTH_LOADING or find_spec("numba") is None):
        return None
    from .kernels import compiled

    return compiled


def top_k_by_groups(scores: Float32, k: int) -> NDArray[np.int64]:
    """`top_k` in NumPy alone."""
    n, columns = scores.shape
    if k == columns:
        return np.broadcast_to(np.arange(columns), scores.shape).copy()
    depth = columns // (GROUPS_PER_K * k)
    if depth < 2 or not n:  # so few columns that there is nothing to save
        return np.argpartition(scores, columns - k, axis=1)[:, columns - k :]
    groups = columns // depth
    maxima = scores[:, : depth * groups].reshape(n, depth, groups).max(axis=1)
    rest = columns - depth * groups
    if rest:
        np.maximum(maxima[:, :rest], scores[:, depth * groups :], out=maxima[:, :rest])
    bound = np.partition(maxima, groups - k, axis=1)[:, groups - k]

    places = np.flatnonzero(scores >= bound[:, None])
    row = places // columns
    counts = np.bincount(row, minlength=n)
    slot = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
    width = int(counts.max())
    values = np.full((n, width), -np.inf, np.float32)
    ids = np.zeros((n, width), np.int64)
    values[row, slot] = scores.reshape(-1)[places]
    ids[row, slot] = places - row * columns
    if width == k:
        return ids
    kept = np.argpartition(values, width - k, axis=1)[:, width - k :]
    return np.take_along_axis(ids, kept, axis=1)
