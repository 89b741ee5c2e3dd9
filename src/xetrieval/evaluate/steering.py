"""The paper's steering check (section 10, Fig. 8): does scaling the key features change the ranking?

RUS(j) = sum of I_j over matched pairs - the same over equally many unmatched pairs; I_j(q,d) = [j active in q][j
active in d].
Key features have the highest RUS above 0. They are chosen on one half of the queries; the other half is ranked with the
activations of a set scaled by alpha on both sides and decoded: x' = W (alpha_S * c) + b, or, with the error kept,
x' = x + W ((alpha_S - 1) * c).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Float64, IntArray, l2norm
from ..configs import SteeringConfig
from ..data.benchmark import Benchmark
from ..errors import InputError
from ..sae import SparseAutoencoder, SparseCodes
from .retrieval import ndcg10_by_query
from .vectors import BenchmarkVectors, of_queries, ranking

HARD = 100  # unmatched documents are drawn from the query's top this many


@dataclass(frozen=True)
class SteeringResult:
    """NDCG@10 of a benchmark's held-out queries, in percent, for each set of features and each factor."""

    dataset: str
    queries: int
    alphas: tuple[float, ...]
    ndcg10: Mapping[str, Sequence[float]]  # key, nonkey, random, key_raw_sae -> one value per factor
    sizes: Mapping[str, int]  # number of features in each set
    error_kept: bool
    half: str = "held out"


def steering(
    sae: SparseAutoencoder,
    benchmark: Benchmark,
    vectors: BenchmarkVectors,
    config: SteeringConfig | None = None,
    raw_sae: SparseAutoencoder | None = None,
) -> list[SteeringResult]:
    """Two results: the vectors decoded from scaled codes, and the same with the reconstruction error kept.

    Args:
        raw_sae: an autoencoder of encoder vectors only; it is steered with its own key features.
    Raises:
        InputError: too few queries to split.
    """
    config = config or SteeringConfig()
    if len(benchmark.queries) < 4:
        raise InputError(f"{benchmark.name}: steering needs at least 4 queries, half of them to choose the features")
    order = np.random.default_rng(config.seed).permutation(len(benchmark.queries))
    chosen_by, held = np.sort(order[: len(order) // 2]), np.sort(order[len(order) // 2 :])
    ours = _Side(sae, vectors)
    sets = {name: (ours, ids) for name, ids in _sets(ours, benchmark, vectors, chosen_by, config).items()}
    if raw_sae is not None:
        raw = _Side(raw_sae, vectors)
        sets["key_raw_sae"] = (raw, _sets(raw, benchmark, vectors, chosen_by, config)["key"])
    part = of_queries(benchmark, held)
    return [
        SteeringResult(
            dataset=benchmark.name,
            queries=len(held),
            alphas=config.alphas,
            ndcg10={
                name: [_ranked(side, part, held, ids, alpha, error_kept=error_kept) for alpha in config.alphas]
                for name, (side, ids) in sets.items()
            },
            sizes={name: len(ids) for name, (_, ids) in sets.items()},
            error_kept=error_kept,
        )
        for error_kept in (False, True)
    ]


class _Side:
    """Vectors and codes of both sides under one autoencoder."""

    def __init__(self, sae: SparseAutoencoder, vectors: BenchmarkVectors) -> None:
        self.sae, self.vectors = sae, vectors
        self.queries, self.documents = sae.encode(vectors.queries, bulk=True), sae.encode(vectors.documents, bulk=True)

    def steered(self, ids: IntArray, alpha: float, *, error_kept: bool) -> BenchmarkVectors:
        """Both sides with the activations of `ids` scaled, unit rows."""
        factor = np.ones(self.sae.features, np.float32)
        factor[ids] = alpha
        sides = zip(self.vectors, (self.queries, self.documents), strict=True)
        return BenchmarkVectors(*(self._scaled(x, codes, factor, error_kept=error_kept) for x, codes in sides))

    def _scaled(self, x: Float32, codes: SparseCodes, factor: Float32, *, error_kept: bool) -> Float32:
        scale = factor[codes.features] - 1 if error_kept else factor[codes.features]
        decoded = self.sae.decode(SparseCodes(codes.features, codes.values * scale))
        return np.asarray(l2norm(x + decoded - self.sae.decoder_bias if error_kept else decoded), np.float32)


def _ranked(
    side: _Side, part: Benchmark, rows: NDArray[np.int64], ids: IntArray, alpha: float, *, error_kept: bool
) -> float:
    queries, documents = side.steered(ids, alpha, error_kept=error_kept)
    return round(100 * float(ndcg10_by_query(part, BenchmarkVectors(queries[rows], documents)).mean()), 3)


def utility(
    side: _Side, benchmark: Benchmark, vectors: BenchmarkVectors, rows: NDArray[np.int64], seed: int
) -> Float64:
    """RUS of every feature, [F]; the unmatched pairs, equal in number, come from each query's best documents."""
    rng = np.random.default_rng(seed)
    row_of = {document.id: row for row, document in enumerate(benchmark.documents)}
    ranked = ranking(benchmark, vectors, HARD)
    rus = np.zeros(side.sae.features)
    for query in rows:
        judged = benchmark.judgments[benchmark.query_ids[query]]
        matched = [row_of[name] for name, grade in judged.items() if grade > 0 and name in row_of]
        others = [row for row in ranked[query].tolist() if row >= 0 and benchmark.documents[row].id not in judged]
        pairs = min(len(matched), len(others))
        active = np.zeros(side.sae.features, bool)
        active[side.queries.support(int(query))] = True
        for sign, documents in ((1, matched[:pairs]), (-1, rng.permutation(others)[:pairs].tolist())):
            for document in documents:
                both = side.documents.support(document)
                rus[both[active[both]]] += sign
    return rus


def _sets(
    side: _Side, benchmark: Benchmark, vectors: BenchmarkVectors, rows: NDArray[np.int64], config: SteeringConfig
) -> dict[str, IntArray]:
    """Key: the highest RUS above 0. Non-key: the lowest |RUS| on both sides. Random: of similar frequency."""
    rus = utility(side, benchmark, vectors, rows, config.seed)
    fired = [np.bincount(c.features[c.values > 0], minlength=side.sae.features) for c in (side.queries, side.documents)]
    both = np.flatnonzero((fired[0] > 0) & (fired[1] > 0))
    key = np.flatnonzero(rus > 0)
    key = key[np.argsort(-rus[key], kind="stable")][: max(1, round(config.fraction * side.sae.features))]
    rest = np.setdiff1d(both, key)
    nonkey = rest[np.argsort(np.abs(rus[rest]), kind="stable")][: len(key)]
    return {
        "key": key.astype(np.int32),
        "nonkey": nonkey.astype(np.int32),
        "random": _like_frequency(key, np.setdiff1d(both, key), fired[1], config.seed),
    }


def _like_frequency(key: NDArray[np.int64], others: NDArray[np.int64], fired: NDArray[np.int64], seed: int) -> IntArray:
    """For each key feature, a different one among the 20 that are closest to it in frequency."""
    rng = np.random.default_rng(seed + 1)
    free = others[np.argsort(fired[others], kind="stable")].tolist()
    out = []
    for feature in key:
        if not free:
            break
        at = int(np.searchsorted(fired[free], fired[feature]))
        low = max(0, min(at - 10, len(free) - 20))
        out.append(free.pop(int(rng.integers(low, min(len(free), low + 20)))))
    return np.array(sorted(out), np.int32)
