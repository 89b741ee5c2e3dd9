"""How much each view should count: weights learned from judged queries.

Over each query's candidates (its nearest documents and its judged ones), a softmax of beta (<q,z> + sum_t w_t <q,v_t>)
should give the judged ones the probability. Loss: cross-entropy + ridge * ||w||^2 with w >= 0: without evidence a view
counts 0, and none can turn the ranking round (candidates are near documents alone, so nothing else would forbid it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Float32, Float64
from ..data.benchmark import Benchmark
from ..errors import InputError
from ..extras import require
from ..views import Aspect
from .vectors import BenchmarkVectors, ranking


@dataclass(frozen=True)
class WeightsConfig:
    """Candidates a query, and how strongly weights are held to 0."""

    candidates: int = 50
    ridge: float = 0.01


def learn_weights(
    benchmark: Benchmark,
    vectors: BenchmarkVectors,
    views: Mapping[Aspect, Float32],
    rows: Any,
    config: WeightsConfig | None = None,
) -> dict[Aspect, float]:
    """Weights of the views from the queries `rows`, beside the original view's 1.

    Raises:
        InputError: none of these queries has a judged document here. MissingExtra: SciPy is not installed.
    """
    config = config or WeightsConfig()
    optimize = require("scipy.optimize", "eval")
    lists = _candidates(benchmark, vectors, views, rows, config)
    if not lists:
        raise InputError(f"{benchmark.name}: no query to learn weights from")
    x = np.concatenate([scores for scores, _ in lists])  # [candidates of all queries, 1 + views]
    wanted = np.concatenate([relevant / relevant.sum() for _, relevant in lists])
    starts = np.concatenate([[0], np.cumsum([len(relevant) for _, relevant in lists])[:-1]])
    sizes = np.diff(np.append(starts, len(x)))

    def loss(parameters: Float64) -> tuple[float, Float64]:
        beta, w = np.exp(parameters[0]), parameters[1:]
        summed = x[:, 0] + x[:, 1:] @ w
        logits = beta * summed
        logits -= np.repeat(np.maximum.reduceat(logits, starts), sizes)
        mass = np.exp(logits)
        total = np.add.reduceat(mass, starts)
        error = (mass / np.repeat(total, sizes) - wanted) / len(lists)  # d loss / d logits
        value = -(wanted @ (logits - np.repeat(np.log(total), sizes))) / len(lists) + config.ridge * (w @ w)
        return value, np.append(error @ summed * beta, beta * (error @ x[:, 1:]) + 2 * config.ridge * w)

    start = np.append(np.log(20.0), np.zeros(len(views)))
    bounds = [(0.0, 8.0)] + [(0.0, None)] * len(views)
    found = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return dict(zip(views, found.x[1:].tolist(), strict=True))


def _candidates(
    benchmark: Benchmark, vectors: BenchmarkVectors, views: Mapping[Aspect, Float32], rows: Any, config: WeightsConfig
) -> list[tuple[Float64, Float64]]:
    """Per query the scores [c, 1 + views] of its candidates and their grades [c]; queries without any are left out."""
    row_of = {document.id: row for row, document in enumerate(benchmark.documents)}
    ranked = ranking(benchmark, vectors, config.candidates)
    lists = []
    for query in rows:
        judged = benchmark.judgments[benchmark.query_ids[query]]
        grades = {row_of[name]: grade for name, grade in judged.items() if grade > 0 and name in row_of}
        if grades:
            chosen = [*grades, *(row for row in ranked[query].tolist() if row >= 0 and row not in grades)]
            q = vectors.queries[query]
            sides = [vectors.documents, *views.values()]
            scores = np.stack([side[chosen] @ q for side in sides], 1).astype(np.float64)
            lists.append((scores, np.array([grades.get(row, 0) for row in chosen], np.float64)))
    return lists
