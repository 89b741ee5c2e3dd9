"""Uses of features: pairs of a corpus's own texts in which a feature carries part of the score.

A reader of explanations sees a feature on pairs, over the whole range of its shares, and rarely on its strongest
texts. So labels are made from pairs: a sentence or passage as the query, and the passages nearest to it as its hits.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Float64
from ..explain.attribution import attribute_shared
from ..sae import SparseAutoencoder, SparseCodes

NEIGHBOURS: Final = 3
LEAST: Final = 0.1  # fraction of (score - bias); a feature that carries less does not count as used
SAME: Final = 0.999  # a neighbour with at least this cosine counts as the same text
BLOCK: Final = 512
MOST: Final = 60  # uses considered per feature
AS_QUERY, AS_HIT = 2, 3  # one text may occur in this many uses of a feature

Rows = NDArray[np.int64]


class Uses(NamedTuple):
    """Pairs of texts, and for each feature the pairs in which it is used, the largest fraction first."""

    pairs: Rows  # [P, 2], rows of a query and of its hit
    of: list[Rows]  # [F], some pairs of each feature, over the whole range of its fractions
    fractions: list[Float64]  # [F], share / (score - bias) of each of these
    activations: list[Float32]  # [F], in each of these: the smaller of the two texts' activations
    counts: Rows  # [F], in how many pairs each feature is used


def uses_of(sae: SparseAutoencoder, vectors: Float32, queries: Rows, passages: Rows, owner: Rows) -> Uses:
    """The uses of every feature in pairs of a query and the passages nearest to it.

    Args:
        vectors: of all texts, [n, m].
        queries: rows used as queries. passages: rows of the passages.
        owner: for each query, the row of the passage that it is, or is taken from; -1 if it is not among them.
    """
    near = _neighbours(vectors, queries, passages, owner)
    place, rank = np.nonzero(near >= 0)
    pairs = np.stack([queries[place], near[place, rank]], axis=1)
    codes = sae.encode(vectors)
    q, z = codes.rows(pairs[:, 0]), codes.rows(pairs[:, 1])
    shared, parts = attribute_shared(sae, vectors[pairs[:, 0]], vectors[pairs[:, 1]], q, [z])
    pair = np.repeat(np.arange(len(pairs)), shared.sizes)
    own = parts.score - parts.bias
    fraction = parts.shares / np.where(own > 1e-6, own, np.inf)[pair]
    used = np.flatnonzero(fraction >= LEAST)
    order = used[np.lexsort((pair[used], -fraction[used], shared.features[used]))]
    counts = np.bincount(shared.features[order], minlength=sae.features)
    groups = np.split(order, np.cumsum(counts)[:-1])
    kept = [group[_apart(pairs[pair[group]])] for group in groups]
    activation = [np.minimum(of_feature(q, pair[rows], j), of_feature(z, pair[rows], j)) for j, rows in enumerate(kept)]
    return Uses(pairs, [pair[rows] for rows in kept], [fraction[rows] for rows in kept], activation, counts)


def _neighbours(vectors: Float32, queries: Rows, passages: Rows, owner: Rows) -> Rows:
    """Rows of the passages nearest to each query, except its own, [queries, 3]; padded with -1."""
    many = min(NEIGHBOURS, len(passages))
    out = np.full((len(queries), many), -1, np.int64)
    place = np.full(len(vectors) + 1, -1, np.int64)
    place[passages] = np.arange(len(passages))
    targets = vectors[passages]
    for start in range(0, len(queries), BLOCK):
        scores = vectors[queries[start : start + BLOCK]] @ targets.T
        mine = place[owner[start : start + BLOCK]]
        rows = np.flatnonzero(mine >= 0)
        scores[rows, mine[rows]] = -np.inf
        scores[scores > SAME] = -np.inf
        top = np.argpartition(-scores, many - 1, axis=1)[:, :many]
        best = np.take_along_axis(scores, top, axis=1)
        order = np.argsort(-best, axis=1, kind="stable")
        top, best = np.take_along_axis(top, order, axis=1), np.take_along_axis(best, order, axis=1)
        out[start : start + BLOCK] = np.where(np.isfinite(best), passages[top], -1)
    return out


def _apart(pairs: Rows) -> Rows:
    """Positions of some pairs, over the whole range, such that no text is in many of them."""
    seen: Counter[tuple[str, int]] = Counter()
    kept = []
    for i, (query, hit) in enumerate(pairs.tolist()):
        if seen["query", query] < AS_QUERY and seen["hit", hit] < AS_HIT:
            seen["query", query] += 1
            seen["hit", hit] += 1
            kept.append(i)
    places = np.array(kept, np.int64)
    if len(places) <= MOST:
        return places
    return places[np.linspace(0, len(places) - 1, MOST).astype(np.int64)]


def of_feature(codes: SparseCodes, rows: Rows, feature: int) -> Float32:
    """Activations of one feature in some rows."""
    values = np.where(codes.features[rows] == feature, codes.values[rows], 0.0)
    return np.asarray(values.max(axis=1, initial=0.0), np.float32)
