"""Retrieval with views (paper, section 5, Table 1): s'(q,d) = <q,z> + sum_t w_t <q,v_t>, by NDCG@10.

The systems, compared on the same queries, are none (z alone), internalizer (v_t = R_t(z)) and cot (v_t = the embedding
of a text that a teacher wrote about the document). Differences are paired by query, with a bootstrap interval and a
sign-flip test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Float32, Float64, l2norm
from ..configs import RetrievalConfig
from ..data.benchmark import Benchmark
from ..extras import require
from ..sae import SparseAutoencoder
from ..views import View
from .vectors import BenchmarkVectors, of_queries, ranking
from .weights import learn_weights

DEPTH = 10
CHUNKS = 5  # hits fetched per ranked document, as several may be chunks of the same document
Weights = Mapping[View, float] | Sequence[Mapping[View, float]] | None  # one mapping per half of queries if learned


def ndcg10_by_query(benchmark: Benchmark, vectors: BenchmarkVectors) -> Float64:
    """NDCG@10 of each query, [q]; a judged document that is absent counts as missed.

    Documents need not be unit vectors: with the sum of weighted views they are ranked by s'.

    Raises:
        MissingExtra: ir-measures is not installed.
    """
    ranked = [[benchmark.documents[row].id for row in rows if row >= 0] for rows in ranking(benchmark, vectors, DEPTH)]
    return ndcg10_of_rankings([benchmark.judgments[query] for query in benchmark.query_ids], ranked)


def ndcg10_of_rankings(judgments: Sequence[Mapping[str, int]], ranked: Sequence[Sequence[str]]) -> Float64:
    """NDCG@10 of each ranking of document ids, best first; a ranking may have fewer than ten, even none.

    Raises:
        MissingExtra: ir-measures is not installed.
    """
    measures = require("ir_measures", "eval")
    qrels = [
        measures.Qrel(str(query), document, grade)
        for query, judged in enumerate(judgments)
        for document, grade in judged.items()
    ]
    run = [
        measures.ScoredDoc(str(query), document, float(DEPTH - place))
        for query, documents in enumerate(ranked)
        for place, document in enumerate(documents[:DEPTH])
    ]
    value = {m.query_id: m.value for m in measures.iter_calc([measures.nDCG @ DEPTH], qrels, run)}
    return np.array([value.get(str(query), 0.0) for query in range(len(judgments))])


def ndcg10(benchmark: Benchmark, vectors: BenchmarkVectors) -> float:
    """Mean NDCG@10 of the cosine ranking over the judged queries."""
    return float(ndcg10_by_query(benchmark, vectors).mean())


def reconstructed(sae: SparseAutoencoder, vectors: BenchmarkVectors) -> BenchmarkVectors:
    """x^ = W g(x) + b of queries and documents, unit rows."""
    return BenchmarkVectors(*(l2norm(sae.decode(sae.encode(side, bulk=True))) for side in vectors))


def with_views(
    vectors: BenchmarkVectors, views: Mapping[View, Float32], weights: Mapping[View, float]
) -> BenchmarkVectors:
    """Documents as z + sum_t w_t v_t, whose products with a query are s'."""
    total = vectors.documents.astype(np.float64)
    for aspect, view in views.items():
        total += weights[aspect] * view
    return vectors._replace(documents=total.astype(np.float32))


@dataclass(frozen=True)
class RetrievalResult:
    """NDCG@10 of one system, in percent, and its paired difference from the encoder alone."""

    dataset: str
    encoder: str
    system: str  # none, internalizer or cot
    form: str | None
    teacher: str | None
    weights: Weights
    ndcg10: float
    delta: float
    ci_low: float
    ci_high: float
    p_value: float
    queries: int
    documents: int


def retrieval(
    benchmark: Benchmark,
    vectors: BenchmarkVectors,
    views: Mapping[View, Float32],
    facts: Mapping[str, Any],
    config: RetrievalConfig | None = None,
) -> list[RetrievalResult]:
    """Two results: the encoder alone, and the encoder with `views`.

    Args:
        views: aspect -> [d, m] unit vectors of the documents.
        facts: encoder, system (internalizer or cot), form, teacher.
    """
    system = ViewSystem(facts, views, (config or RetrievalConfig()).weights)
    return compare_views(benchmark, vectors, [system] if views else [], str(facts.get("encoder")), config)


class ViewSystem(NamedTuple):
    """One way to make views of the documents."""

    facts: Mapping[str, Any]  # system (internalizer or cot), form, teacher
    views: Mapping[View, Float32]  # aspect -> [d, m] unit vectors
    weights: str = "sum"  # or learned


def compare_views(
    benchmark: Benchmark,
    vectors: BenchmarkVectors,
    systems: Iterable[ViewSystem],
    encoder: str,
    config: RetrievalConfig | None = None,
) -> list[RetrievalResult]:
    """The encoder alone, then each system, all on the same queries."""
    config = config or RetrievalConfig()
    base = ndcg10_by_query(benchmark, vectors)

    def result(facts: Mapping[str, Any], weights: Weights, scored: Float64) -> RetrievalResult:
        described: dict[str, Any] = {key: facts.get(key) for key in ("system", "form", "teacher")}
        figures = compared(scored, base, config.resamples, config.seed)
        documents = len(benchmark.documents)
        return RetrievalResult(benchmark.name, encoder, **described, weights=weights, documents=documents, **figures)

    results = [result({"system": "none"}, None, base)]
    for system in systems:
        weights: Weights
        if system.weights == "sum":
            weights = dict.fromkeys(system.views, 1.0)
            scored = ndcg10_by_query(benchmark, with_views(vectors, system.views, weights))
        else:
            scored, weights = _cross_fitted(benchmark, vectors, system.views, config)
        results.append(result(system.facts, weights, scored))
    return results


def _cross_fitted(
    benchmark: Benchmark, vectors: BenchmarkVectors, views: Mapping[View, Float32], config: RetrievalConfig
) -> tuple[Float64, list[dict[str, float]]]:
    """NDCG of each query with weights learned on the other half, and the two sets of weights."""
    order = np.random.default_rng(config.seed).permutation(len(benchmark.queries))
    halves = (np.sort(order[: len(order) // 2]), np.sort(order[len(order) // 2 :]))
    scored, learned = np.zeros(len(order)), []
    for train, test in (halves, halves[::-1]):
        weights = learn_weights(benchmark, vectors, views, train, config.learning)
        part = of_queries(benchmark, test)
        chosen = vectors._replace(queries=vectors.queries[test])
        scored[test] = ndcg10_by_query(part, with_views(chosen, views, weights))
        learned.append({aspect: round(value, 3) for aspect, value in weights.items()})
    return scored, learned


def compared(scored: Float64, base: Float64, resamples: int, seed: int) -> dict[str, Any]:
    """NDCG@10 of queries [q] in percent, and the paired difference from a base with its interval and p value."""
    difference = 100 * (scored - base)
    low, high, p_value = paired_test(difference, resamples, seed)
    return {
        "ndcg10": round(100 * float(scored.mean()), 3),
        "delta": round(float(difference.mean()), 3),
        "ci_low": round(low, 3),
        "ci_high": round(high, 3),
        "p_value": round(p_value, 4),
        "queries": len(scored),
    }


def paired_test(difference: Float64, resamples: int, seed: int) -> tuple[float, float, float]:
    """95 % bootstrap interval of the mean of paired differences [q], and its two-sided sign-flip p value.

    Raises:
        MissingExtra: SciPy is not installed.
    """
    if len(difference) < 2 or not difference.any():
        return float(difference.mean()), float(difference.mean()), 1.0
    stats = require("scipy.stats", "eval")
    options = {"n_resamples": resamples, "vectorized": True, "batch": 500}
    interval = stats.bootstrap(
        (difference,), np.mean, method="percentile", rng=np.random.default_rng(seed), **options
    ).confidence_interval
    test = stats.permutation_test(
        (difference,), np.mean, permutation_type="samples", rng=np.random.default_rng(seed), **options
    )
    return float(interval.low), float(interval.high), float(test.pvalue)
