"""Pairs of a query and a document near the top of its ranking, relevant or not (paper, section 9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..arrays import IntArray
from ..data.benchmark import Benchmark
from ..errors import InputError
from .vectors import BenchmarkVectors, ranking

PER_QUERY: Final = 3
MOST_PAIRS: Final = 1200


@dataclass(frozen=True)
class InterventionConfig:
    """How pairs are drawn; the defaults are the paper's."""

    depth: int = 32  # ranks that pairs are drawn from
    per_query: int = 4  # at most this many pairs; half of them true positives if there are enough
    queries: int | None = None  # a seeded sample of the queries; None is all
    bootstrap: int = 1000
    seed: int = 0


class Pairs(NamedTuple):
    query: NDArray[np.int64]  # rows of the benchmark's queries
    document: NDArray[np.int64]
    relevant: NDArray[np.bool_]


def draw_pairs(benchmark: Benchmark, vectors: BenchmarkVectors, config: InterventionConfig, rng: Generator) -> Pairs:
    """At most `per_query` pairs of each query and its top `depth` documents, half of them relevant if possible.

    Raises:
        InputError: there is no pair.
    """
    ranked = ranking(benchmark, vectors, config.depth)
    chosen = rng.permutation(len(ranked))[: config.queries]
    drawn: list[tuple[int, int, bool]] = []
    for query in np.sort(chosen):
        judged = benchmark.judgments[benchmark.query_ids[query]]
        hits = ranked[query][ranked[query] >= 0]
        relevant = np.array([judged.get(benchmark.documents[hit].id, 0) > 0 for hit in hits], bool)
        true = rng.permutation(hits[relevant])[: config.per_query // 2]
        false = rng.permutation(hits[~relevant])[: config.per_query - len(true)][: config.per_query // 2]
        drawn += [(int(query), int(hit), True) for hit in true] + [(int(query), int(hit), False) for hit in false]
    if not drawn:
        raise InputError(f"{benchmark.name}: no pairs to measure")
    query_rows, document_rows, relevance = zip(*drawn, strict=True)
    return Pairs(np.array(query_rows), np.array(document_rows), np.array(relevance, bool))


def random_active(chosen: list[IntArray], active: list[IntArray], rng: Generator) -> list[IntArray]:
    """For each set, the same number of random active features of z outside it, or all if there are fewer."""
    return [rng.permutation(np.setdiff1d(a, s))[: len(s)] for s, a in zip(chosen, active, strict=True)]
