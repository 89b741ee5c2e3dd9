"""Do the features of an explanation carry the score? Curves over the number of features, and simpler orders.

For pairs near the top of their rankings, with their features S ordered by |share|:

    explained   (bias + the n largest shares) / score
    deletion    cosine after erasing the first n features, over the cosine; lower is more faithful
    insertion   cosine when only the first n are kept, over the cosine; higher is more faithful
    rank        Spearman's correlation, over a query's top documents, of their scores before and after removing all but
                the features of the explanation
    lists       Kendall's tau, over a query's top documents, of their scores with sums of their shares (`listwise.py`)

The explanation's own order is compared with a random order of the same features, and with the features of an
autoencoder of raw vectors in its own order (erased and kept in its own span). Areas are means over n = 1 .. N, with the
same N for all orders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..arrays import Float32, Float64, IntArray
from ..data.benchmark import Benchmark
from ..errors import InputError
from ..explain import DEFAULT_TOP, Explainer, attribute, overlap
from ..extras import require
from ..intervals import Estimate, cluster_bootstrap, intervals
from ..sae import SparseAutoencoder, SparseCodes
from ..sae.projection import FeatureSets
from ..steer import erase_and_keep
from .listwise import ListAgreement, list_agreement
from .pairs import InterventionConfig, draw_pairs, random_active
from .vectors import BenchmarkVectors, ranking

STEPS: Final = (0, 1, 2, 3, 4, 6, 8, 12, 16)


@dataclass(frozen=True)
class FaithfulnessConfig:
    """The size of the measurement.

    Args:
        queries: size of the seeded sample, at most four pairs each.
        steps: numbers of features; areas leave out 0.
        ranked_queries, depth: how many queries' top documents are reranked, and how many documents each.
        shown: features that are kept for each document.
    """

    queries: int = 300
    steps: tuple[int, ...] = STEPS
    ranked_queries: int = 100
    depth: int = 100
    shown: int = DEFAULT_TOP
    bootstrap: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        least = min(self.queries, self.ranked_queries, self.shown, max(self.steps, default=0))
        if least < 1 or self.depth < 3 or list(self.steps) != sorted(set(self.steps)):
            raise InputError("faithfulness: needs one query, one feature, three documents to rank, and ascending steps")


class _Order(NamedTuple):
    """The features of each pair in the order of erasure, in one autoencoder's span."""

    sae: SparseAutoencoder
    features: list[IntArray]


@dataclass(frozen=True)
class ExplainedAt:
    """How much of the scores the bias and the first `features` features explain, with a 95 % interval.

    A score near zero distorts the mean of ratios, but not the ratios of sums.
    """

    features: int
    explained: float
    low: float
    high: float
    explained_of_sums: float
    remainder_of_sums: float


@dataclass(frozen=True)
class Curves:
    """Deletion and insertion at each step of one order, and the areas under them."""

    deletion: tuple[float, ...]
    insertion: tuple[float, ...]
    deletion_area: float
    deletion_area_ci: tuple[float, float]
    insertion_area: float
    insertion_area_ci: tuple[float, float]


@dataclass(frozen=True)
class RankAgreement:
    """Spearman's correlation of the scores with those from some features alone.

    shown: the eight largest (`largest` in `ListAgreement`). all_shared: all. random_active: as many random active ones.
    """

    queries: int
    documents: int
    shown: float
    shown_ci: tuple[float, float]
    all_shared: float
    all_shared_ci: tuple[float, float]
    random_active: float
    random_active_ci: tuple[float, float]


@dataclass(frozen=True)
class FaithfulnessResult:
    """The curves of a benchmark's pairs, by order: share, random, raw_sae."""

    dataset: str
    pairs: int
    queries: int
    features: float
    steps: tuple[int, ...]
    explained: tuple[ExplainedAt, ...]
    orders: Mapping[str, Curves]
    rank: RankAgreement
    lists: tuple[ListAgreement, ...]  # of a query's best ten documents, and of all that are ranked


def faithfulness(
    explainer: Explainer,
    benchmark: Benchmark,
    vectors: BenchmarkVectors,
    config: FaithfulnessConfig | None = None,
    raw: SparseAutoencoder | None = None,
) -> FaithfulnessResult:
    """Measure the explanations of a benchmark's pairs.

    Args:
        raw: an autoencoder of raw vectors, used for the order raw_sae.
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
    rank, lists = _rank(explainer, benchmark, vectors, config, rng)
    return FaithfulnessResult(
        dataset=benchmark.name,
        pairs=len(q),
        queries=len(np.unique(pairs.query)),
        features=round(float(np.mean([len(ids) for ids in chosen])), 2),
        steps=config.steps,
        explained=_explained(explainer.sae, q, z, chosen, pairs.query, config),
        orders={name: _curves(order, q, z, pairs.query, config) for name, order in orders.items()},
        rank=rank,
        lists=lists,
    )


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
) -> tuple[ExplainedAt, ...]:
    parts = attribute(q, z, sae.directions, sae.decoder_bias, FeatureSets.of(chosen))
    starts = np.concatenate([[0], np.cumsum([len(ids) for ids in chosen])])
    out = []
    for step in config.steps:
        shown = np.array([parts.shares[a : min(a + step, b)].sum() for a, b in pairwise(starts)])
        ratio = cluster_bootstrap((parts.bias + shown) / parts.score, query, config.bootstrap, config.seed)
        own = parts.score - parts.bias
        out.append(
            ExplainedAt(
                step,
                *ratio.rounded(4),
                explained_of_sums=round(float((parts.bias + shown).sum() / parts.score.sum()), 4),
                remainder_of_sums=round(float(np.abs(own - shown).sum() / max(1e-12, np.abs(own).sum())), 4),
            )
        )
    return tuple(out)


def _curves(order: _Order, q: Float32, z: Float32, query: NDArray[np.int64], config: FaithfulnessConfig) -> Curves:
    cosine = np.einsum("nm,nm->n", q, z).astype(np.float64)
    deleted, inserted = [], []
    for step in config.steps:
        erased, kept = erase_and_keep(order.sae, z, FeatureSets.of([ids[:step] for ids in order.features]))
        deleted.append(np.einsum("nm,nm->n", q, erased) / cosine)
        inserted.append(np.einsum("nm,nm->n", q, kept) / cosine)
    return curves_of(deleted, inserted, query, config)


def curves_of(
    deleted: Sequence[Float64], inserted: Sequence[Float64], query: NDArray[np.int64], config: FaithfulnessConfig
) -> Curves:
    """The curves of the values [pairs] at each step, and the areas under them."""
    return Curves(
        deletion=tuple(round(float(values.mean()), 4) for values in deleted),
        insertion=tuple(round(float(values.mean()), 4) for values in inserted),
        **_area(deleted, query, config).fields("deletion_area"),
        **_area(inserted, query, config).fields("insertion_area"),
    )


def _area(curve: Sequence[Float64], query: NDArray[np.int64], config: FaithfulnessConfig) -> Estimate:
    """The mean of the curve over 1 .. N, interpolated linearly between its steps."""
    steps = np.array(config.steps)
    every = np.arange(1, steps.max() + 1)
    stacked = np.stack(curve, axis=1)
    areas = np.array([np.interp(every, steps, row).mean() for row in stacked])
    return cluster_bootstrap(areas, query, config.bootstrap, config.seed)


def _rank(
    explainer: Explainer,
    benchmark: Benchmark,
    vectors: BenchmarkVectors,
    config: FaithfulnessConfig,
    rng: Generator,
) -> tuple[RankAgreement, tuple[ListAgreement, ...]]:
    stats = require("scipy.stats", "eval")
    sae = explainer.sae
    ranked = ranking(benchmark, vectors, config.depth)
    found: dict[str, list[float]] = {"shown": [], "all_shared": [], "random_active": []}
    lists = []
    for row in np.sort(rng.permutation(len(ranked))[: config.ranked_queries]):
        documents = ranked[row][ranked[row] >= 0]
        if len(documents) < 3:
            continue
        z = vectors.documents[documents]
        q = np.repeat(vectors.queries[[row]], len(z), axis=0)
        views = explainer.codes(z)
        lists.append((vectors.queries[row], z, views))
        chosen = _by_share(sae, q, z, views)
        shown = [ids[: config.shown] for ids in chosen]
        active = [views[0].support(i) for i in range(len(z))]
        sets = {"shown": shown, "all_shared": chosen, "random_active": random_active(shown, active, rng)}
        cosine = np.einsum("nm,nm->n", q, z)
        for name, features in sets.items():
            kept = erase_and_keep(sae, z, FeatureSets.of(features))[1]
            value = float(stats.spearmanr(cosine, np.einsum("nm,nm->n", q, kept)).statistic)
            found[name].append(0.0 if np.isnan(value) else value)
    figures = intervals(found, config.bootstrap, config.seed)
    agreement = RankAgreement(len(found["shown"]), config.depth, **figures)
    return agreement, list_agreement(sae, vectors.documents, lists, config.bootstrap, config.seed)
