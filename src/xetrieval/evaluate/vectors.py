"""A benchmark as vectors, and its ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..data.benchmark import Benchmark, own_rows
from ..encoders import Encoder, read_texts

Rows = Sequence[int] | NDArray[np.int64]


class BenchmarkVectors(NamedTuple):
    """Unit vectors of queries [q, m] and documents [d, m], in the benchmark's order."""

    queries: Float32
    documents: Float32


def benchmark_vectors(benchmark: Benchmark, encoder: Encoder) -> BenchmarkVectors:
    """Encode every query and document."""
    return BenchmarkVectors(
        read_texts(encoder, benchmark.queries, "query").vectors,
        read_texts(encoder, [document.text for document in benchmark.documents], "document").vectors,
    )


def of_queries(benchmark: Benchmark, rows: Rows) -> Benchmark:
    """The benchmark with only these queries, in this order."""
    ids = [benchmark.query_ids[row] for row in rows]
    return replace(
        benchmark,
        query_ids=ids,
        queries=[benchmark.queries[row] for row in rows],
        judgments={query: benchmark.judgments[query] for query in ids},
    )


def ranking(benchmark: Benchmark, vectors: BenchmarkVectors, depth: int) -> NDArray[np.int64]:
    """Document rows by descending score, [q, depth]; -1 if a query has fewer.

    The document with a query's own id is not ranked for it. Of documents with the same text, those judged relevant are
    ranked, else the first.
    """
    row_of = {document.id: row for row, document in enumerate(benchmark.documents)}
    first: dict[str, int] = {}
    first_of = np.array([first.setdefault(d.text, row) for row, d in enumerate(benchmark.documents)])
    repeated = first_of != np.arange(len(first_of))
    own = own_rows(benchmark)
    ranked = np.full((len(benchmark.query_ids), depth), -1, np.int64)
    for start in range(0, len(benchmark.query_ids), 256):
        scores = vectors.queries[start : start + 256] @ vectors.documents.T
        for offset, identifier in enumerate(benchmark.query_ids[start : start + 256]):
            hidden = repeated.copy()
            judged = benchmark.judgments[identifier]
            relevant = [row_of[name] for name, grade in judged.items() if grade > 0 and name in row_of]
            hidden[np.isin(first_of, first_of[relevant])] = True  # unjudged copies of relevant documents
            hidden[relevant] = False
            mine = own[start + offset]
            if mine is not None:
                hidden[mine] = True
            scores[offset, hidden] = -np.inf
            count = min(depth, int(np.isfinite(scores[offset]).sum()))
            top = np.argpartition(-scores[offset], count - 1)[:count]
            ranked[start + offset, :count] = top[np.lexsort((top, -scores[offset, top]))]
    return ranked
