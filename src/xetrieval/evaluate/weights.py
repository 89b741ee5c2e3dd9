"""Weights of views, learned from judged queries.

A softmax of beta (<q,z> + sum_t w_t <q,v_t>) over the documents should put its probability on the judged ones. The
loss is the cross-entropy + ridge * ||w||^2 with w >= 0, so that a view without evidence gets weight 0. All documents
compete, or the judged ones and a random sample of the others. (The original view's top ranks are documents that it
overrates, so the loss would turn against it.)
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..arrays import Float32, Float64
from ..configs import WeightsConfig
from ..data.benchmark import Benchmark, own_rows
from ..errors import InputError
from ..extras import require
from ..steer.learn import cross_entropy
from ..views import View
from .vectors import BenchmarkVectors, Rows


def learn_weights(
    benchmark: Benchmark,
    vectors: BenchmarkVectors,
    views: Mapping[View, Float32],
    rows: Rows,
    config: WeightsConfig | None = None,
) -> dict[View, float]:
    """Weights of the views from the queries `rows`; the original view has weight 1.

    Raises:
        InputError: none of these queries has a judged document here. MissingExtra: SciPy is not installed.
    """
    config = config or WeightsConfig()
    optimize = require("scipy.optimize", "eval")
    scores, wanted = _competition(benchmark, vectors, views, rows, config)  # [1 + views, q, d], [q, d]
    competes = np.isfinite(scores[0])

    def loss(parameters: Float64) -> tuple[float, Float64]:
        beta, w = np.exp(parameters[0]), parameters[1:]
        summed = scores[0] + np.tensordot(w.astype(np.float32), scores[1:], 1)
        value, error = cross_entropy(beta * summed, wanted)
        by_beta = beta * float((error * np.where(competes, summed, 0.0)).sum(dtype=np.float64))
        by_weight = [beta * float((error * view).sum(dtype=np.float64)) for view in scores[1:]]
        return value + config.ridge * float(w @ w), np.append(by_beta, np.array(by_weight) + 2 * config.ridge * w)

    start = np.append(np.log(20.0), np.zeros(len(views)))
    bounds = [(0.0, 8.0)] + [(0.0, None)] * len(views)
    found = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return dict(zip(views, found.x[1:].tolist(), strict=True))


def _competition(
    benchmark: Benchmark, vectors: BenchmarkVectors, views: Mapping[View, Float32], rows: Rows, config: WeightsConfig
) -> tuple[Float32, Float32]:
    """Scores of each view for the queries with judged documents, and the probability that each document should get.

    A query's own document does not compete: it scores minus infinity in the original view.
    """
    row_of = {document.id: row for row, document in enumerate(benchmark.documents)}
    grades = {}
    for query in rows:
        judged = benchmark.judgments[benchmark.query_ids[query]]
        found = {row_of[name]: grade for name, grade in judged.items() if grade > 0 and name in row_of}
        if found:
            grades[int(query)] = found
    if not grades:
        raise InputError(f"{benchmark.name}: no query to learn weights from")
    chosen = {row for found in grades.values() for row in found}
    others = np.setdiff1d(np.arange(len(row_of)), list(chosen))
    room = max(0, config.documents - len(chosen))
    drawn = np.random.default_rng(config.seed).permutation(others)[:room]
    kept = np.sort(np.concatenate([list(chosen), drawn])).astype(np.int64)
    q = vectors.queries[list(grades)]
    scores = np.stack([q @ side[kept].T for side in (vectors.documents, *views.values())])
    wanted = np.zeros(scores.shape[1:], np.float32)
    own = own_rows(benchmark)
    for place, (query, found) in enumerate(grades.items()):
        columns = np.searchsorted(kept, list(found))
        wanted[place, columns] = np.array(list(found.values())) / sum(found.values())
        mine = own[query]
        if mine is not None and mine in kept and mine not in found:
            scores[0, place, np.searchsorted(kept, mine)] = -np.inf
    return scores, wanted
