"""Do the displayed shares put a query's hits in their order? Kendall's tau of the scores with sums of shares.

    tau_b( s(q, d_i), bias + sum of some shares of d_i ),   d_i a query's best 10 or 100 documents

The bias is the same for all documents of a query, and the remainder is left out. Untrained dictionaries (see
`explain/untrained.py`) say how much of the order any set of directions finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..arrays import Float32, Float64
from ..explain import DEFAULT_TOP, attribute, overlap
from ..explain.explanation import LEAST_SHARE, largest, strong_positions
from ..explain.untrained import SEEDS, untrained
from ..extras import require
from ..intervals import intervals
from ..sae import SparseAutoencoder, SparseCodes
from ..sae.projection import FeatureSets

HITS: Final = 10
KINDS: Final = ("displayed", "largest", "all_shared")


@dataclass(frozen=True)
class ListAgreement:
    """Mean Kendall's tau over queries, with 95 % intervals.

    displayed: shares of a tenth of (score - bias) or more, at most eight, else the two largest. largest: the eight
    largest. all_shared: all. Untrained figures are means of five seeds, by the features shared with the original view.
    """

    documents: int
    queries: int
    displayed: float
    displayed_ci: tuple[float, float]
    largest: float
    largest_ci: tuple[float, float]
    all_shared: float
    all_shared_ci: tuple[float, float]
    untrained_displayed: float
    untrained_displayed_ci: tuple[float, float]
    untrained_largest: float
    untrained_largest_ci: tuple[float, float]
    untrained_all_shared: float
    untrained_all_shared_ci: tuple[float, float]


def list_agreement(
    sae: SparseAutoencoder,
    corpus: Float32,
    lists: Sequence[tuple[Float32, Float32, list[SparseCodes]]],
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[ListAgreement, ...]:
    """The agreement over the best ten documents, and over all of each list.

    Args:
        corpus: vectors [n, m], from whose covariance the untrained directions are drawn.
        lists: for each query, its vector [m], the vectors of its documents [k, m], best first, and their codes by view.
    Raises:
        MissingExtra: SciPy is not installed.
    """
    by_chance = list(untrained(sae, corpus, seeds=range(SEEDS)))
    depth = max(len(z) for _, z, _ in lists)
    depths = [HITS, depth] if depth > HITS else [depth]
    taus: list[dict[str, list[float]]] = [{} for _ in depths]
    for q, z, views in lists:
        repeated = np.repeat(q[None], len(z), axis=0)
        cosine = np.einsum("nm,nm->n", repeated, z)
        own = share_sums(sae, repeated, z, views)
        others = [share_sums(one, repeated, z, [one.encode(z)]) for one in by_chance]
        for depth, found in zip(depths, taus, strict=True):
            for kind in KINDS:
                found.setdefault(kind, []).append(_tau(cosine[:depth], own[kind][:depth]))
                chance = [_tau(cosine[:depth], one[kind][:depth]) for one in others]
                found.setdefault(f"untrained_{kind}", []).append(float(np.mean(chance)))
    return tuple(_result(depth, found, resamples, seed) for depth, found in zip(depths, taus, strict=True))


def share_sums(sae: SparseAutoencoder, q: Float32, z: Float32, views: list[SparseCodes]) -> dict[str, Float64]:
    """Sums of the displayed, the largest and all shares of each pair, [n]."""
    shared = overlap(sae.encode(q), views, sae.features)
    parts = attribute(q, z, sae.directions, sae.decoder_bias, FeatureSets(shared.starts, shared.features))
    sums: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for pair, own in enumerate(np.abs(parts.score - parts.bias).tolist()):
        rows = shared.of(pair)  # twins have one line and one share, as in an explanation
        shares = np.bincount(np.unique(parts.twins[rows], return_inverse=True)[1], parts.shares[rows]).tolist()
        strong = strong_positions([abs(share) < LEAST_SHARE * own for share in shares], shares)
        displayed = [shares[i] for i in strong]
        for kind, some in (("displayed", displayed), ("largest", shares), ("all_shared", shares)):
            kept = range(len(some)) if kind == "all_shared" else largest(some, DEFAULT_TOP)
            sums[kind].append(sum(some[i] for i in kept))
    return {kind: np.array(values) for kind, values in sums.items()}


def _tau(scores: Float32, sums: Float64) -> float:
    value = float(require("scipy.stats", "eval").kendalltau(scores, sums).statistic)
    return 0.0 if np.isnan(value) else value  # all sums are equal: no order


def _result(depth: int, found: dict[str, list[float]], resamples: int, seed: int) -> ListAgreement:
    return ListAgreement(depth, len(found["displayed"]), **intervals(found, resamples, seed))
