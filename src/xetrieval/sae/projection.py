"""Projects vectors onto the span of some features by ridge regression (paper, section on local attribution).

    beta = (W_S^T W_S + lambda I)^-1 W_S^T u,   P_S(u) = W_S beta,   u = z - b,   lambda = 1e-6

Attribution, erase and keep-only all edit this one span. Everything is float64: shares must add up.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Float64, IntArray

RIDGE: Final = 1e-6
TWIN: Final = 0.94  # directions with at least this absolute cosine count as one (paper/studies/twins.py)
TILE_BYTES: Final = 32 << 20  # the gathered directions of one tile
TILE_ROWS: Final = 32
MOST_COMMON: Final = 2048  # up to this many features, the whole Gram matrix is kept, 32 MB


class FeatureSets(NamedTuple):
    """One set of features per row, ragged: row i owns features[starts[i] : starts[i + 1]]."""

    starts: NDArray[np.int64]  # [n + 1]
    features: IntArray  # [rows]

    @classmethod
    def of(cls, sets: list[IntArray]) -> FeatureSets:
        """Pack a list of id arrays."""
        starts = np.zeros(len(sets) + 1, np.int64)
        np.cumsum([len(ids) for ids in sets], out=starts[1:])
        return cls(starts, np.concatenate([*sets, np.empty(0, np.int32)]).astype(np.int32))


class Projection(NamedTuple):
    """beta and P_S(u) of n rows, and the products of a second vector with the same directions."""

    beta: Float64  # [rows], aligned with FeatureSets.features
    inside: Float64  # [n, m], P_S(u) = W_S beta
    along: Float64  # [rows], <q, w_j>
    twins: NDArray[np.int64]  # [rows], the set's first row with nearly this direction; usually the row itself


def project(directions: Float32, sets: FeatureSets, u: Float64, q: Float64) -> Projection:
    """Ridge projection of each row of `u` [n, m] onto the span of its own set.

    Args:
        directions: W^T [F, m], one feature direction per row, contiguous.
        q: [n, m], also multiplied with each direction of its set.
    """
    sizes = np.diff(sets.starts)
    rows = len(sets.features)
    out = Projection(np.zeros(rows), np.zeros_like(u), np.zeros(rows), np.arange(rows))
    by_size = np.argsort(sizes, kind="stable")
    by_size = by_size[np.searchsorted(sizes[by_size], 1) :]  # an empty set projects to zero
    common = _Common.of(directions, sets, sizes)
    done = 0
    while done < len(by_size):
        # Rows of nearly equal size share one batched solve; the tile shrinks as the sets grow.
        width = int(sizes[by_size[min(done + TILE_ROWS, len(by_size)) - 1]])
        room = 8 * width * (u.shape[1] if common is None else width)
        tile = _Tile.of(sets, sizes, by_size[done : done + max(1, min(TILE_ROWS, TILE_BYTES // room))])
        done += len(tile.rows)
        if common is None:
            _project_apart(directions, sets, tile, np.stack([u[tile.rows], q[tile.rows]], axis=2), out)
        else:
            _project_in_common(common, sets, tile, u, q, out)
    return out


class _Tile(NamedTuple):
    """Rows of nearly equal size that share one batched solve."""

    rows: NDArray[np.int64]  # [t]
    filled: NDArray[np.bool_]  # [t, width]; a padded slot gets a zero direction, so beta 0
    at: NDArray[np.int64]  # [t, width], into FeatureSets.features

    @classmethod
    def of(cls, sets: FeatureSets, sizes: NDArray[np.int64], rows: NDArray[np.int64]) -> _Tile:
        slots = np.arange(int(sizes[rows].max()))
        filled = slots < sizes[rows][:, None]
        return cls(rows, filled, np.where(filled, sets.starts[rows][:, None] + slots, 0))


def _project_apart(directions: Float32, sets: FeatureSets, tile: _Tile, u_and_q: Float64, out: Projection) -> None:
    rows, filled, at = tile
    W = directions[sets.features[at]].astype(np.float64)
    W[~filled] = 0.0
    gram = W @ W.transpose(0, 2, 1)
    slots = np.arange(filled.shape[1])
    _note_twins(gram, at, out.twins)
    gram[:, slots, slots] += RIDGE
    along = W @ u_and_q
    solved = np.linalg.solve(gram, along[:, :, :1])[:, :, 0]
    out.beta[at[filled]] = solved[filled]
    out.along[at[filled]] = along[:, :, 1][filled]
    out.inside[rows] = (solved[:, None, :] @ W)[:, 0, :]


def _note_twins(gram: Float64, at: NDArray[np.int64], twins: NDArray[np.int64]) -> None:
    """Group a set's directions that are nearly parallel or opposite; each points to the first row of its group."""
    squares = np.diagonal(gram, axis1=1, axis2=2)
    near = gram**2 > TWIN**2 * squares[:, :, None] * squares[:, None, :]  # padded slots have no length, so no twin
    if int(near.sum()) <= int((squares > 0).sum()):
        return  # none has a twin
    from scipy.sparse.csgraph import connected_components

    for row in np.flatnonzero(near.sum(axis=(1, 2)) > (squares > 0).sum(axis=1)):
        _, group = connected_components(near[row], directed=False)
        filled = squares[row] > 0
        first = np.unique(group[filled], return_index=True)
        leader = dict(zip(first[0].tolist(), at[row][filled][first[1]].tolist(), strict=True))
        twins[at[row][filled]] = [leader[one] for one in group[filled].tolist()]


class _Common(NamedTuple):
    """Directions shared by many rows, such as the documents of one query, which use one Gram matrix.

    The last row of each array is zero; padded slots point to it.
    """

    features: IntArray  # [U], ascending
    W: Float64  # [U + 1, m]
    gram: Float64  # [(U + 1)^2], flat

    @classmethod
    def of(cls, directions: Float32, sets: FeatureSets, sizes: NDArray[np.int64]) -> _Common | None:
        """None if treating each row separately is less work."""
        features = np.unique(sets.features)
        work = len(features) ** 2 + 3 * len(features) * len(sizes)  # multiplications, in multiples of m
        if not 0 < len(features) <= MOST_COMMON or work >= int((sizes**2).sum()):
            return None
        W = np.zeros((len(features) + 1, directions.shape[1]))
        W[:-1] = directions[features]
        return cls(features, W, (W @ W.T).reshape(-1))


def _project_in_common(
    common: _Common, sets: FeatureSets, tile: _Tile, u: Float64, q: Float64, out: Projection
) -> None:
    rows, filled, at = tile
    side = len(common.W)
    where = np.full(filled.shape, side - 1)
    where[filled] = np.searchsorted(common.features, sets.features[at[filled]])
    t, slots = np.arange(len(rows))[:, None], np.arange(filled.shape[1])
    gram = common.gram.take((where * side)[:, :, None] + where[:, None, :])
    _note_twins(gram, at, out.twins)
    gram[:, slots, slots] += RIDGE
    solved = np.linalg.solve(gram, (u[rows] @ common.W.T)[t, where][:, :, None])[:, :, 0]
    out.beta[at[filled]] = solved[filled]
    out.along[at[filled]] = (q[rows] @ common.W.T)[t, where][filled]
    spread = np.zeros((len(rows), side))
    spread[t, where] = solved
    out.inside[rows] = spread @ common.W
