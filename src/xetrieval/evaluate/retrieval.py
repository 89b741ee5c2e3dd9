"""Ranking quality: NDCG@10 by ir-measures."""

from __future__ import annotations

import numpy as np

from ..arrays import Float32, l2norm
from ..data.benchmark import Benchmark
from ..extras import require
from ..sae import SparseAutoencoder
from .vectors import BenchmarkVectors, ranking

DEPTH = 10


def ndcg10(benchmark: Benchmark, vectors: BenchmarkVectors) -> float:
    """NDCG@10 of the cosine ranking, mean over the judged queries; a judged document that is absent counts as missed.

    Raises:
        MissingExtra: ir-measures is not installed.
    """
    measures = require("ir_measures", "eval")
    ranked = ranking(benchmark, vectors, DEPTH)
    qrels = [
        measures.Qrel(query, document, grade)
        for query in benchmark.query_ids
        for document, grade in benchmark.judgments[query].items()
    ]
    run = [
        measures.ScoredDoc(query, benchmark.documents[row].id, float(DEPTH - place))
        for query, rows in zip(benchmark.query_ids, ranked, strict=True)
        for place, row in enumerate(rows)
        if row >= 0
    ]
    return float(measures.calc_aggregate([measures.nDCG @ 10], qrels, run)[measures.nDCG @ 10])


def reconstructed(sae: SparseAutoencoder, vectors: BenchmarkVectors) -> BenchmarkVectors:
    """x^ = W g(x) + b of queries and documents, unit rows."""
    return BenchmarkVectors(*(_unit(sae, side) for side in vectors))


def _unit(sae: SparseAutoencoder, x: Float32) -> Float32:
    return np.asarray(l2norm(sae.decode(sae.encode(x))), np.float32)
