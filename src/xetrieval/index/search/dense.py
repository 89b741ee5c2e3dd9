"""Ranking by vectors: the encoder's own score, that score with views added, and that score steered.

dense    <q, z>
views    <q, z> + sum_t w_t <q, R_t(z)>         of the best documents by <q, z>
steered  <q, z'>,  z' = l2norm(z + sum_j (alpha_j - 1) c_j w_j)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ...arrays import Float32, Float64
from ...errors import InputError
from ...sae import SparseCodes
from ...steer import SteeringProfile, steered_scores
from ...views import View
from ..store.layout import VECTORS
from ..store.sealed import check_numbers
from .quantised import candidates, to_fixed

if TYPE_CHECKING:
    from ..index import Index, Rows
    from ..store.shard import Shard

MOST_COARSE: Final = 1000  # hits up to which the 8-bit copy is worth its candidates
RERANKED: Final = 1000  # documents that views are computed for, where the index has more


class Ranked(NamedTuple):
    """Rows by falling score."""

    rows: Rows
    scores: Float64


def dense(index: Index, q: Float32, k: int, among: Rows | None) -> Ranked:
    """Exact top k by cosine; `among` restricts it to some rows, ascending."""
    if among is not None:
        with np.errstate(all="ignore"):
            scores = index.vectors(among) @ q
        check_numbers(scores, index.folder)
        return best(among, scores.astype(np.float64), k)
    if index.coarse and k <= MOST_COARSE:
        return _dense_coarse(index, q, k)
    rows, values = np.empty(0, np.int64), np.empty(0, np.float64)
    least = -np.inf  # what k documents are known to reach; deleted ones never do
    for shard in index.shards:
        found = scan(index, shard, q)
        top = np.flatnonzero(found >= least) if np.isfinite(least) else np.flatnonzero(np.isfinite(found))
        rows, values = best(
            np.concatenate([rows, top + shard.first]), np.concatenate([values, found[top].astype(np.float64)]), k
        )
        if len(values) == k:
            least = values[-1]
    return Ranked(rows, values)


def _dense_coarse(index: Index, q: Float32, k: int) -> Ranked:
    """The same from the 8-bit copy; candidates are scored in fp32."""
    rows, least, q16 = [], -np.inf, to_fixed(q)
    for shard in index.shards:
        found, least = candidates(index, shard, q16, k, least)
        rows.append(found + shard.first)
    every = np.concatenate(rows)
    with np.errstate(all="ignore"):
        exact = index.vectors(every) @ q
    check_numbers(exact, index.folder)
    return best(every, exact.astype(np.float64), k)


def scan(index: Index, shard: Shard, q: Float32) -> Float32:
    """<q, z> of every document of a shard; deleted ones -inf."""
    with np.errstate(all="ignore"):
        scores: Float32 = shard.vectors @ q
    check_numbers(scores, shard.folder / VECTORS)
    low, high = np.searchsorted(index.deleted, (shard.first, shard.first + shard.rows))
    scores[index.deleted[low:high] - shard.first] = -np.inf
    return scores


def steered(index: Index, q: Float32, k: int, among: Rows | None, profile: SteeringProfile) -> Ranked:
    """Exact top k of the steered scores: documents with a steered feature are scored anew, all others keep theirs."""
    factors = {feature: factor for feature, factor in profile.factors.items() if factor != 1}
    moved = touched(index, factors)
    if among is not None:
        moved = np.intersect1d(moved, among, assume_unique=True)
    else:
        moved = np.setdiff1d(moved, index.deleted, assume_unique=True)
    changed = steered_rows(index, q, moved, factors)
    # Documents that were not moved keep their scores: the first k + |moved| hold k of them, if there are so many.
    still = dense(index, q, k + len(moved), among)
    kept = ~np.isin(still.rows, moved, assume_unique=True)
    return best(np.concatenate([still.rows[kept], moved]), np.concatenate([still.scores[kept], changed]), k)


def steered_rows(index: Index, q: Float32, rows: Rows, factors: Mapping[int, float]) -> Float64:
    """<q, z'> of some rows, in blocks."""
    out = np.zeros(len(rows))
    for start in range(0, len(rows), 1 << 14):
        some = rows[start : start + (1 << 14)]
        codes = index.codes(some, index.manifest.views[0])
        out[start : start + len(some)] = steered_scores(
            index.explainer.sae, q[None], index.vectors(some), codes, factors
        )[0]
    return out


def touched(index: Index, factors: Mapping[int, float]) -> Rows:
    """Rows that have one of these features, ascending."""
    if absent := [feature for feature in factors if not 0 <= feature < index.manifest.features]:
        raise InputError(f"there is no feature {absent[0]}; the index has {index.manifest.features}, from 0 on")
    return np.unique(np.concatenate([*(index.postings(feature)[0] for feature in factors), np.empty(0, np.int64)]))


def with_views(index: Index, q: Float32, k: int, among: Rows | None, weights: Mapping[View, float]) -> Ranked:
    """Top k of s' among the best 1,000 by cosine (all documents, where there are no more)."""
    first = dense(index, q, max(k, RERANKED), among)
    return best(first.rows, view_scores(index, q, first.rows, weights) @ _weights(index, weights), k)


def view_scores(index: Index, q: Float32, rows: Rows, weights: Mapping[View, float]) -> Float64:
    """<q, v> of every view of some rows, [n, views]; the original view first."""
    for view in weights:
        if view not in index.manifest.views[1:]:
            raise InputError(f"view {view!r}: this index has {', '.join(index.manifest.views[1:]) or 'no views'}")
    views = index.explainer.reasoned(index.vectors(rows))
    return np.stack([(view @ q).astype(np.float64) for view in views], axis=1)


def _weights(index: Index, weights: Mapping[View, float]) -> Float64:
    return np.array([1.0, *(weights.get(view, 0.0) for view in index.manifest.views[1:])])


def steered_codes(codes: SparseCodes, factors: Mapping[int, float]) -> SparseCodes:
    """Activations times their factors; a factor of 0 silences the feature."""
    values = codes.values.copy()
    for feature, factor in factors.items():
        values[codes.features == feature] *= factor
    return SparseCodes(codes.features, values)


def best(rows: Rows, scores: Float64, k: int) -> Ranked:
    """The k largest; equal scores by row."""
    top = _largest(scores, k)
    top = top[np.lexsort((rows[top], -scores[top]))]
    return Ranked(rows[top], scores[top])


def _largest(scores: Float32 | Float64, k: int) -> Rows:
    """Places of the k largest, in any order; of equal ones at the edge the first."""
    if k >= len(scores):
        return np.arange(len(scores))
    edge = np.partition(scores, len(scores) - k)[len(scores) - k]
    above = np.flatnonzero(scores > edge)
    return np.concatenate([above, np.flatnonzero(scores == edge)[: k - len(above)]])
