"""The span of some features, and a vector's ridge coefficients in it (paper, section on local attribution).

    beta = (W_S^T W_S + lambda I)^-1 W_S^T u,   P_S(u) = W_S beta,   u = z - b,   lambda = 1e-6

Attribution, erase and keep-only all edit this one span. Everything is float64: shares must add up.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Float64, Ids

RIDGE: Final = 1e-6
TILE_BYTES: Final = 32 << 20  # the gathered directions of the pairs in hand


class FeatureSets(NamedTuple):
    """One set of features per row, ragged: row i owns features[starts[i] : starts[i + 1]]."""

    starts: NDArray[np.int64]  # [n + 1]
    features: Ids  # [rows]

    @classmethod
    def of(cls, sets: list[Ids]) -> FeatureSets:
        """Pack a list of id arrays."""
        starts = np.zeros(len(sets) + 1, np.int64)
        np.cumsum([len(ids) for ids in sets], out=starts[1:])
        return cls(starts, np.concatenate([*sets, np.empty(0, np.int32)]).astype(np.int32))


class Projection(NamedTuple):
    """beta and P_S(u) of n rows, and how a second vector lies along the same directions."""

    beta: Float64  # [rows], aligned with FeatureSets.features
    inside: Float64  # [n, m], P_S(u) = W_S beta
    along: Float64  # [rows], <q, w_j>


def project(directions: Float32, sets: FeatureSets, u: Float64, q: Float64) -> Projection:
    """Ridge projection of each row of `u` [n, m] onto the span of its own set.

    Args:
        directions: W^T [F, m], one feature direction a row, contiguous.
        q: [n, m], measured along each direction while that is at hand.
    """
    sizes = np.diff(sets.starts)
    out = Projection(np.zeros(len(sets.features)), np.zeros_like(u), np.zeros(len(sets.features)))
    by_size = np.argsort(sizes, kind="stable")
    by_size = by_size[np.searchsorted(sizes[by_size], 1) :]  # an empty set projects to zero
    done = 0
    while done < len(by_size):
        # Rows of nearly equal size share one batched solve; the tile shrinks as the sets grow.
        width = int(sizes[by_size[min(done + 63, len(by_size) - 1)]])
        count = max(1, TILE_BYTES // (8 * width * u.shape[1]))
        rows = by_size[done : done + min(64, count)]
        done += len(rows)
        _project_tile(directions, sets, sizes, np.stack([u[rows], q[rows]], axis=2), rows, out)
    return out


def _project_tile(
    directions: Float32,
    sets: FeatureSets,
    sizes: NDArray[np.int64],
    u_and_q: Float64,  # [t, m, 2]
    rows: NDArray[np.int64],
    out: Projection,
) -> None:
    width = int(sizes[rows].max())
    slots = np.arange(width)
    filled = slots < sizes[rows][:, None]  # [t, width]; a padded slot gets a zero direction, so beta 0
    at = np.where(filled, sets.starts[rows][:, None] + slots, 0)
    W = directions[sets.features[at]].astype(np.float64)
    W[~filled] = 0.0
    gram = W @ W.transpose(0, 2, 1)
    gram[:, slots, slots] += RIDGE
    along = W @ u_and_q
    solved = np.linalg.solve(gram, along[:, :, :1])[:, :, 0]
    out.beta[at[filled]] = solved[filled]
    out.along[at[filled]] = along[:, :, 1][filled]
    out.inside[rows] = (solved[:, None, :] @ W)[:, 0, :]
