"""Finds the k largest scores of each row exactly, several times faster than a full partition, or those above
thresholds.

This is NumPy only; large jobs use the compiled loops (`compiled_codes`). Columns are split into G groups. The k-th
largest of a row's G group maxima is a lower bound of its k-th largest score: k groups each have a score at least as
large. So the k largest are at or above that bound; the few scores that are (about 1.5 k) are gathered, and only they
are partitioned.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, IntArray
from ..errors import InputError

GROUPS_PER_K: Final = 4  # more groups give a tighter bound, fewer a cheaper one


def top_k(scores: Float32, k: int) -> tuple[IntArray, Float32]:
    """Column ids and values of the k largest entries of each row of `scores` [n, F], unordered, [n, k] each.

    Of scores that tie at the k-th place, any may be kept.

    Raises:
        InputError: a score is NaN, so the row has no k largest.
    """
    kept = _top_k_ids(scores, k)
    return kept.astype(np.int32), np.take_along_axis(scores, kept, axis=1)


def above(scores: Float32, bounds: Float32) -> tuple[NDArray[np.int64], IntArray, Float32]:
    """How many scores of each row exceed the bound of their column [n], and the columns and scores of these, row by
    row."""
    over = scores > bounds
    ids = np.flatnonzero(over)
    return over.sum(axis=1), (ids % scores.shape[1]).astype(np.int32), scores.reshape(-1)[ids]


def _top_k_ids(scores: Float32, k: int) -> NDArray[np.int64]:
    n, columns = scores.shape
    if k == columns:
        return np.broadcast_to(np.arange(columns), scores.shape).copy()
    depth = columns // (GROUPS_PER_K * k)
    if depth < 2 or not n:  # too few columns for this to be faster
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
    if int(counts.min()) < k:
        raise InputError(f"autoencoder: the scores of row {int(counts.argmin())} are NaN")
    width = int(counts.max())
    values = np.full((n, width), -np.inf, np.float32)
    ids = np.zeros((n, width), np.int64)
    values[row, slot] = scores.reshape(-1)[places]
    ids[row, slot] = places - row * columns
    if width == k:
        return ids
    kept = np.argpartition(values, width - k, axis=1)[:, width - k :]
    return np.take_along_axis(ids, kept, axis=1)
