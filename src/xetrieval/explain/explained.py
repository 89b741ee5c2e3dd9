"""How much of the scores of a set of pairs the shared features carry: the one definition behind every table.

    explained   sum of shares / sum of (score - bias)
    remainder   sum |remainder| / sum |score - bias|
    features    mean |S|, before anything is hidden or joined

Sums, not means of quotients: a score near the bias cannot blow them up. Only the original view counts:
S = supp(g(q)) & supp(g(z)).
Each figure is compared with that of untrained dictionaries (`untrained`), by the same rule and on the same pairs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Float64
from ..sae import SparseAutoencoder
from ..sae.projection import FeatureSets
from .attribution import attribute
from .support import overlap
from .untrained import SEEDS, Spread, untrained


@dataclass(frozen=True)
class Explained:
    """Figures of some pairs; NaN over no pair."""

    pairs: int
    explained: float
    remainder: float
    features: float
    nothing_shared: float  # fraction of the pairs with no shared feature
    bias: float  # sum of biases / sum of scores
    with_bias: float  # sum of (bias + shares) / sum of scores
    named: float | None = None  # sum of the shares of named features / sum of (score - bias)


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


@dataclass(frozen=True)
class PairParts:
    """The parts of the scores of n pairs, of which any subset can be summed."""

    score: Float64  # [n]
    bias: Float64  # [n]
    shares: Float64  # [n], sums over S
    remainder: Float64  # [n]
    sizes: NDArray[np.int64]  # [n], |S|
    named: Float64 | None  # [n], of labelled features only

    def over(self, rows: NDArray[np.bool_]) -> Explained:
        """The figures of the pairs that are marked, [n]."""
        own = (self.score - self.bias)[rows]
        score = self.score[rows].sum()
        return Explained(
            pairs=int(rows.sum()),
            explained=_quotient(self.shares[rows].sum(), own.sum()),
            remainder=_quotient(np.abs(self.remainder[rows]).sum(), np.abs(own).sum()),
            features=_quotient(self.sizes[rows].sum(), rows.sum()),
            nothing_shared=_quotient((self.sizes[rows] == 0).sum(), rows.sum()),
            bias=_quotient(self.bias[rows].sum(), score),
            with_bias=_quotient((self.bias + self.shares)[rows].sum(), score),
            named=None if self.named is None else _quotient(self.named[rows].sum(), own.sum()),
        )


def pair_parts(sae: SparseAutoencoder, q: Float32, z: Float32, named: NDArray[np.bool_] | None = None) -> PairParts:
    """Of pairs of rows of `q` and `z` [n, m].

    Args:
        named: which features have a name that is shown, [F].
    """
    shared = overlap(sae.encode(q), [sae.encode(z)], sae.features)
    parts = attribute(q, z, sae.directions, sae.decoder_bias, FeatureSets(shared.starts, shared.features))
    on_named = None
    if named is not None:
        pair = np.repeat(np.arange(len(q)), shared.sizes)
        shares = parts.shares * named[shared.features]
        on_named = np.bincount(pair, weights=shares, minlength=len(q)).astype(np.float64)
    return PairParts(parts.score, parts.bias, parts.total, parts.remainder, shared.sizes, on_named)


def explained(sae: SparseAutoencoder, q: Float32, z: Float32, named: NDArray[np.bool_] | None = None) -> Explained:
    """The figures of all pairs; see `pair_parts`."""
    return pair_parts(sae, q, z, named).over(np.ones(len(q), bool))


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


def _quotient(part: Any, whole: Any) -> float:
    return float(part) / float(whole) if whole else float("nan")


def _end(found: tuple[Explained, ...], which: Any) -> float:
    return round(float(which(one.explained for one in found)), 4)


def _rounded(record: dict[str, Any]) -> dict[str, Any]:
    """Four decimals; NaN as null, as JSON has no NaN."""
    return {
        key: (None if value != value else round(value, 4)) if isinstance(value, float) else value
        for key, value in record.items()
    }
