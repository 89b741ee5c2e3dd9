"""Which features connect a query and a document (paper, section 4), for many pairs at once.

O(q,d) = { j : j in supp(g(q)) and j in supp(g(v)) for some v in V(d) }
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, IntArray
from ..errors import MismatchError
from ..records import brief
from ..sae import SparseCodes

TILE = 256  # pairs whose queries are dense in memory at once


class Overlap(NamedTuple):
    """Shared features O(q,d) of n pairs: those of pair i are in rows starts[i] : starts[i + 1], ascending."""

    starts: NDArray[np.int64]  # [n + 1]
    features: IntArray  # [rows]
    query_activation: Float32  # [rows], > 0
    view_activations: Float32  # [rows, views]; 0 where the feature is silent in that view

    def __repr__(self) -> str:
        return brief(self)

    def of(self, pair: int) -> slice:
        """The rows of one pair."""
        return slice(int(self.starts[pair]), int(self.starts[pair + 1]))

    @property
    def sizes(self) -> NDArray[np.int64]:
        """|O(q,d)| of each pair, [n]."""
        return np.diff(self.starts)


def overlap(query: SparseCodes, views: Sequence[SparseCodes], features: int, threshold: float = 0.0) -> Overlap:
    """The shared features O(q,d) of pairs of rows: row i of `query` against row i of each of `views`.

    Args:
        features: F. One tile [256, F] is the only dense array, reused for all pairs.
        threshold: tau of the paper; a feature is active above it.
    Raises:
        MismatchError: the codes differ in their number of rows.
    """
    n = len(query)
    if any(len(view) != n for view in views):
        raise MismatchError(f"overlap: {n} queries against views of {[len(view) for view in views]} rows")
    tile = np.zeros((min(TILE, n), features), np.float32)
    parts = [
        _tile_overlap(query.rows(rows), [view.rows(rows) for view in views], tile, threshold)
        for rows in (slice(start, start + TILE) for start in range(0, n, TILE))
    ]
    if not parts:
        empty = np.empty(0, np.float32)
        return Overlap(np.zeros(1, np.int64), np.empty(0, np.int32), empty, np.empty((0, len(views)), np.float32))
    sizes = np.concatenate([part[0] for part in parts])
    return Overlap(
        np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]),
        *(np.concatenate([part[column] for part in parts]) for column in (1, 2, 3)),
    )


def _tile_overlap(
    query: SparseCodes, views: Sequence[SparseCodes], tile: Float32, threshold: float
) -> tuple[NDArray[np.int64], IntArray, Float32, Float32]:
    n, features = len(query), tile.shape[1]
    flat = tile.reshape(-1)
    offset = (np.arange(n, dtype=np.int64) * features)[:, None]
    places = (query.features + offset).reshape(-1)
    flat[places] = np.where(query.values > threshold, query.values, 0.0).reshape(-1)

    keys, values = [], []  # positions (pair, feature) shared by the query and each view
    for view in views:
        at = view.features + offset
        shared = (flat[at] > 0) & (view.values > threshold)
        keys.append(at[shared])
        values.append(view.values[shared])
    union = np.unique(np.concatenate(keys))
    view_activations = np.zeros((len(union), len(views)), np.float32)
    for column, (key, value) in enumerate(zip(keys, values, strict=True)):
        view_activations[np.searchsorted(union, key), column] = value
    pair, feature = np.divmod(union, features)
    query_activation = flat[union]
    flat[places] = 0.0
    return np.bincount(pair, minlength=n), feature.astype(np.int32), query_activation, view_activations
