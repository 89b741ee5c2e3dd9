"""Where features are used: pairs of a corpus's own texts in which they carry part of a score.

A reader of explanations meets a feature on pairs, over the whole range of its shares, and seldom on its eight strongest
texts. So names are made from pairs: a passage or a sentence as the query, the passages nearest to it as its hits, and
of each pair the features that both share, with the part of the score that each one carries.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xetrieval.arrays import Float32, Float64
from xetrieval.explain import attribute, overlap
from xetrieval.sae import SparseAutoencoder
from xetrieval.sae.projection import FeatureSets

NEIGHBOURS: Final = 3
LEAST: Final = 0.05  # of score - bias: what carries less is not a use
BLOCK: Final = 256
SAME: Final = 0.999  # cosine from which a neighbour is the same text again


class Uses(NamedTuple):
    """Feature j owns rows starts[j] : starts[j + 1], the largest fraction first."""

    starts: NDArray[np.int64]  # [F + 1]
    query: NDArray[np.int64]  # [rows], row of the texts that stand for queries
    hit: NDArray[np.int64]  # [rows], row of the passages
    fraction: Float64  # [rows], share / (score - bias)

    def of(self, feature: int) -> slice:
        """The rows of one feature."""
        return slice(int(self.starts[feature]), int(self.starts[feature + 1]))

    @property
    def counts(self) -> NDArray[np.int64]:
        """How often each feature is used, [F]."""
        return np.diff(self.starts)


def neighbours(
    queries: Float32, passages: Float32, own: NDArray[np.int64], count: int = NEIGHBOURS
) -> NDArray[np.int64]:
    """The passages nearest to each query, [n, count]; -1 where there are fewer.

    Args:
        own: the passage that a query is or was taken from, which is not its neighbour, [n]; -1 where there is none.
    """
    out = np.full((len(queries), count), -1, np.int64)
    for start in range(0, len(queries), BLOCK):
        scores = queries[start : start + BLOCK] @ passages.T
        mine = own[start : start + BLOCK]
        rows = np.flatnonzero(mine >= 0)
        scores[rows, mine[rows]] = -np.inf
        scores[scores > SAME] = -np.inf
        many = min(count, scores.shape[1])
        top = np.argpartition(-scores, many - 1, axis=1)[:, :many]
        order = np.take_along_axis(scores, top, axis=1)
        placed = np.argsort(-order, axis=1, kind="stable")
        found = np.take_along_axis(top, placed, axis=1)
        usable = np.isfinite(np.take_along_axis(order, placed, axis=1))
        out[start : start + BLOCK, :many] = np.where(usable, found, -1)
    return out


def uses_of(sae: SparseAutoencoder, queries: Float32, passages: Float32, near: NDArray[np.int64]) -> Uses:
    """The uses of every feature over pairs of queries [n, m] and their neighbours `near` [n, count] in `passages`."""
    row, place = np.nonzero(near >= 0)
    hit = near[row, place]
    q, z = queries[row], passages[hit]
    shared = overlap(sae.encode(queries).rows(row), [sae.encode(passages).rows(hit)], sae.features)
    parts = attribute(q, z, sae.directions, sae.decoder_bias, FeatureSets(shared.starts, shared.features))
    pair = np.repeat(np.arange(len(row)), shared.sizes)
    own = parts.score - parts.bias
    fraction = parts.shares / np.where(own > 1e-6, own, np.inf)[pair]
    kept = np.flatnonzero(fraction >= LEAST)
    order = kept[np.lexsort((pair[kept], -fraction[kept], shared.features[kept]))]
    counts = np.bincount(shared.features[order], minlength=sae.features)
    starts = np.concatenate([[0], np.cumsum(counts)])
    return Uses(starts, row[pair[order]], hit[pair[order]], fraction[order])


def over_the_range(uses: Uses, feature: int, count: int) -> NDArray[np.int64]:
    """Up to `count` rows of a feature's uses, evenly over the range of shares, each query and each passage but once.

    Where that leaves fewer than `count`, that is all there are.
    """
    rows = np.arange(uses.starts[feature], uses.starts[feature + 1])
    seen: set[tuple[str, int]] = set()
    apart = []
    for use in rows.tolist():
        ends = {("query", int(uses.query[use])), ("hit", int(uses.hit[use]))}
        if not ends & seen:
            seen |= ends
            apart.append(use)
    some = np.array(apart, np.int64)
    if len(some) <= count:
        return some
    return some[np.unique(np.linspace(0, len(some) - 1, count).round().astype(np.int64))]
