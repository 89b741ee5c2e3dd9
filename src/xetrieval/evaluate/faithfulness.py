"""Does what an explanation shows carry the score? Curves over the number of features, beside orders that know less.

Of pairs near the top of their rankings, features S ordered by |share|:

    explained   (bias + the n largest shares) / score
    deletion    cosine after erasing the n first features of the order, over the cosine; lower is more faithful
    insertion   cosine of what keeps only them, over the cosine; higher is more faithful
    rank        Spearman's correlation, over a query's top documents, of their scores with those of what keeps only the
                features shown

Beside the explanation's own order: the same features in random order, and the features that an autoencoder of raw
vectors shows, in its own order (erased and kept in its own span). Areas are means over n = 1 .. N, at the same
numbers of features for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Float64, IntArray
from ..data.benchmark import Benchmark
from ..errors import InputError
from ..explain import DEFAULT_TOP, Explainer, attribute, overlap
from ..extras import require
from ..intervals import cluster_bootstrap
from ..sae import SparseAutoencoder, SparseCodes
from ..sae.projection import FeatureSets
from ..steer import erase_and_keep
from .pairs import InterventionConfig, draw_pairs, random_active
from .vectors import BenchmarkVectors, ranking

STEPS: Final = (0, 1, 2, 3, 4, 6, 8, 12, 16)


@dataclass(frozen=True)
class FaithfulnessConfig:
    """How much is measured.

    Args:
        queries: a seeded sample of so many, at most four pairs each.
        steps: numbers of features; areas are over those above 0.
        ranked_queries, depth: whose top documents are ranked again, and how many of them.
        shown: features that each of these keeps.
    """

    queries: int = 300
    steps: tuple[int, ...] = STEPS
    ranked_queries: int = 100
    depth: int = 100
    shown: int = DEFAULT_TOP
    bootstrap: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.queries < 1 or self.ranked_queries < 1 or self.depth < 3 or self.shown < 1 or max(self.steps) < 1:
            raise InputError("faithfulness: at least one query, one feature, and three documents to rank")


class _Order(NamedTuple):
    """The features of each pair, the first to go first, in one autoencoder's span."""

    sae: SparseAutoencoder
    features: list[IntArray]


def faithfulness(
    explainer: Explainer,
    benchmark: Benchmark,
    vectors: BenchmarkVectors,
    config: FaithfulnessConfig | None = None,
    raw: SparseAutoencoder | None = None,
) -> dict[str, Any]:
    """One record: {dataset, pairs, steps, explained, orders: {share, random, raw_sae}, rank}.

    Each order has deletion and insertion curves [steps] and their areas with intervals; `rank` has Spearman's
    correlations for the features shown, for all shared ones, and for as many random active ones.

    Args:
        raw: an autoencoder of raw vectors, for the order raw_sae.
    Raises:
        InputError: no pair to measure. MissingExtra: SciPy is not installed.
    """
    config = config or FaithfulnessConfig()
    rng = np.random.default_rng(config.seed)
    pairs = draw_pairs(benchmark, vectors, InterventionConfig(queries=config.queries, seed=config.seed), rng)
    q, z = vectors.queries[pairs.query], vectors.documents[pairs.document]
    chosen = _by_share(explainer.sae, q, z, explainer.codes(z))
    orders = {
        "share": _Order(explainer.sae, chosen),
        "random": _Order(explainer.sae, [rng.permutation(ids) for ids in chosen]),
    }
    if raw is not None:
        orders["raw_sae"] = _Order(raw, _by_share(raw, q, z, [raw.encode(z)]))
    return {
        "dataset": benchmark.name,
        "pairs": len(q),
        "queries": len(np.unique(pairs.query)),
        "features": round(float(np.mean([len(ids) for ids in chosen])), 2),
        "steps": list(config.steps),
        "explained": _explained(explainer.sae, q, z, chosen, pairs.query, config),
        "orders": {name: _curves(order, q, z, pairs.query, config) for name, order in orders.items()},
        "rank": _rank(explainer, benchmark, vectors, config, rng),
    }


def _by_share(sae: SparseAutoencoder, q: Float32, z: Float32, views: list[SparseCodes]) -> list[IntArray]:
    """S of each pair, the largest |share| first."""
    shared = overlap(sae.encode(q), views, sae.features)
    shares = attribute(q, z, sae.directions, sae.decoder_bias, FeatureSets(shared.starts, shared.features)).shares
    return [
        shared.features[rows][np.argsort(-np.abs(shares[rows]), kind="stable")]
        for rows in (shared.of(i) for i in range(len(q)))
    ]


def _explained(
    sae: SparseAutoencoder,
    q: Float32,
    z: Float32,
    chosen: list[IntArray],
    query: NDArray[np.int64],
    config: FaithfulnessConfig,
) -> list[dict[str, float]]:
    parts = attribute(q, z, sae.directions, sae.decoder_bias, FeatureSets.of(chosen))
    starts = np.concatenate([[0], np.cumsum([len(ids) for ids in chosen])])
    out = []
    for step in config.steps:
        shown = np.array([parts.shares[a : min(a + step, b)].sum() for a, b in pairwise(starts)])
        mean, low, high = cluster_bootstrap((parts.bias + shown) / parts.score, query, config.bootstrap, config.seed)
        own = parts.score - parts.bias
        sums = {  # a score near zero cannot blow these up, as it can the mean
            "explained_of_sums": round(float((parts.bias + shown).sum() / parts.score.sum()), 4),
            "remainder_of_sums": round(float(np.abs(own - shown).sum() / max(1e-12, np.abs(own).sum())), 4),
        }
        out.append(
            {"features": step, "explained": round(mean, 4), "low": round(low, 4), "high": round(high, 4), **sums}
        )
    return out


def _curves(
    order: _Order, q: Float32, z: Float32, query: NDArray[np.int64], config: FaithfulnessConfig
) -> dict[str, Any]:
    cosine = np.einsum("nm,nm->n", q, z).astype(np.float64)
    deleted, inserted = [], []
    for step in config.steps:
        erased, kept = erase_and_keep(order.sae, z, FeatureSets.of([ids[:step] for ids in order.features]))
        deleted.append(np.einsum("nm,nm->n", q, erased) / cosine)
        inserted.append(np.einsum("nm,nm->n", q, kept) / cosine)
    return {
        "deletion": [round(float(values.mean()), 4) for values in deleted],
        "insertion": [round(float(values.mean()), 4) for values in inserted],
        **area("deletion_area", deleted, query, config),
        **area("insertion_area", inserted, query, config),
    }


def area(name: str, curve: list[Float64], query: NDArray[np.int64], config: FaithfulnessConfig) -> dict[str, Any]:
    """The mean over 1 .. N of the curve, with straight lines between its steps."""
    steps = np.array(config.steps)
    every = np.arange(1, steps.max() + 1)
    stacked = np.stack(curve, axis=1)
    areas = np.array([np.interp(every, steps, row).mean() for row in stacked])
    mean, low, high = cluster_bootstrap(areas, query, config.bootstrap, config.seed)
    return {name: round(mean, 4), f"{name}_ci": [round(low, 4), round(high, 4)]}


def _rank(
    explainer: Explainer, benchmark: Benchmark, vectors: BenchmarkVectors, config: FaithfulnessConfig, rng: Any
) -> dict[str, Any]:
    stats = require("scipy.stats", "eval")
    sae = explainer.sae
    ranked = ranking(benchmark, vectors, config.depth)
    found: dict[str, list[float]] = {"shown": [], "all_shared": [], "random_active": []}
    for row in np.sort(rng.permutation(len(ranked))[: config.ranked_queries]):
        documents = ranked[row][ranked[row] >= 0]
        if len(documents) < 3:
            continue
        z = vectors.documents[documents]
        q = np.repeat(vectors.queries[[row]], len(z), axis=0)
        views = explainer.codes(z)
        chosen = _by_share(sae, q, z, views)
        shown = [ids[: config.shown] for ids in chosen]
        active = [views[0].support(i) for i in range(len(z))]
        sets = {"shown": shown, "all_shared": chosen, "random_active": random_active(shown, active, rng)}
        cosine = np.einsum("nm,nm->n", q, z)
        for name, features in sets.items():
            kept = erase_and_keep(sae, z, FeatureSets.of(features))[1]
            value = float(stats.spearmanr(cosine, np.einsum("nm,nm->n", q, kept)).statistic)
            found[name].append(0.0 if np.isnan(value) else value)
    out: dict[str, Any] = {"queries": len(found["shown"]), "documents": config.depth, "shown": config.shown}
    for name, values in found.items():
        each = np.array(values)
        mean, low, high = cluster_bootstrap(each, np.arange(len(each)), config.bootstrap, config.seed)
        out |= {name: round(mean, 4), f"{name}_ci": [round(low, 4), round(high, 4)]}
    return out
