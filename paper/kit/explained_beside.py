"""What the shared features of pairs explain, beside untrained dictionaries on the same pairs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xetrieval.arrays import Float32
from xetrieval.data.benchmark import Benchmark
from xetrieval.errors import InputError
from xetrieval.evaluate import BenchmarkVectors
from xetrieval.evaluate.pairs import MOST_PAIRS, PER_QUERY, Pairs
from xetrieval.evaluate.vectors import ranking
from xetrieval.explain.explained import Explained, explained, pair_parts
from xetrieval.explain.untrained import SEEDS, Spread, untrained
from xetrieval.sae import SparseAutoencoder


@dataclass(frozen=True)
class ExplainedBeside:
    """A dictionary beside untrained ones on the same pairs."""

    every: Explained
    relevant: Explained  # the pairs that are judged relevant
    others: Explained
    covariance: tuple[Explained, ...]  # untrained, one per seed; directions drawn from the covariance of the corpus
    isotropic: tuple[Explained, ...]

    @property
    def explained_untrained(self) -> float:
        """Mean over the seeds, directions drawn from the covariance of the corpus."""
        return float(np.mean([one.explained for one in self.covariance]))

    @property
    def margin(self) -> float:
        """explained minus that mean."""
        return self.every.explained - self.explained_untrained

    def to_dict(self) -> dict[str, Any]:
        """As JSON, rounded; untrained ones as means over the seeds."""
        parts = {name: _rounded(asdict(getattr(self, name))) for name in ("every", "relevant", "others")}
        means = {}
        for name in ("covariance", "isotropic"):
            found: tuple[Explained, ...] = getattr(self, name)
            means[name] = {
                field: round(float(np.mean([getattr(one, field) for one in found])), 4)
                for field in ("explained", "remainder", "features")
            } | {"least": _end(found, min), "most": _end(found, max), "seeds": len(found)}
        return {**parts, "untrained": means, "margin": round(self.margin, 4)}


def explained_beside(
    sae: SparseAutoencoder,
    q: Float32,
    z: Float32,
    corpus: Float32,
    relevant: NDArray[np.bool_] | None = None,
    named: NDArray[np.bool_] | None = None,
) -> ExplainedBeside:
    """The figures of a dictionary on pairs of rows, relevant ones and others separately, and of untrained dictionaries.

    Args:
        q, z: the vectors of each pair [n, m].
        corpus: vectors whose covariance untrained directions are drawn from.
        relevant: pairs that are judged relevant, [n]; None: none is.
        named: which features have a name that is shown, [F].
    """
    parts = pair_parts(sae, q, z, named)
    every = np.ones(len(q), bool)
    relevant = ~every if relevant is None else relevant

    def controls(spread: Spread) -> tuple[Explained, ...]:
        return tuple(explained(control, q, z) for control in untrained(sae, corpus, spread, range(SEEDS)))

    return ExplainedBeside(
        parts.over(every), parts.over(relevant), parts.over(~relevant), controls("covariance"), controls("isotropic")
    )


def best_pairs(benchmark: Benchmark, vectors: BenchmarkVectors, seed: int = 0) -> Pairs:
    """The three best documents of each query, at most 1,200 pairs: whole queries are drawn where there are more.

    Raises:
        InputError: there is no pair.
    """
    ranked = ranking(benchmark, vectors, PER_QUERY)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(ranked))[: MOST_PAIRS // PER_QUERY])
    place, rank = np.nonzero(ranked[drawn] >= 0)
    query = drawn[place]
    document = ranked[query, rank]
    if not len(query):
        raise InputError(f"{benchmark.name}: no pairs to measure")
    relevant = [
        benchmark.judgments[benchmark.query_ids[i]].get(benchmark.documents[row].id, 0) > 0
        for i, row in zip(query.tolist(), document.tolist(), strict=True)
    ]
    return Pairs(query, document, np.array(relevant, bool))


def _end(found: tuple[Explained, ...], which: Any) -> float:
    return round(float(which(one.explained for one in found)), 4)


def _rounded(record: dict[str, Any]) -> dict[str, Any]:
    """Four decimals; NaN as null, as JSON has no NaN."""
    return {
        key: (None if value != value else round(value, 4)) if isinstance(value, float) else value
        for key, value in record.items()
    }
