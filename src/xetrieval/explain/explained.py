"""How much of a set of pairs' scores the shared features carry: the definition used for every table.

    explained   sum of shares / sum of (score - bias)
    remainder   sum |remainder| / sum |score - bias|
    features    mean |S|, before anything is hidden or joined

These are ratios of sums, not means of ratios, so a score near the bias cannot distort them. Only the original view
counts: S = supp(g(q)) & supp(g(z)).
Each figure is compared with that of untrained dictionaries (`untrained`), by the same rule and on the same pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Float64
from ..sae import SparseAutoencoder
from ..sae.projection import FeatureSets
from .attribution import attribute
from .support import overlap


@dataclass(frozen=True)
class Explained:
    """Figures for some pairs; NaN if there are none."""

    pairs: int
    explained: float
    remainder: float
    features: float
    nothing_shared: float  # fraction of the pairs with no shared feature
    bias: float  # sum of biases / sum of scores
    with_bias: float  # sum of (bias + shares) / sum of scores
    named: float | None = None  # sum of the shares of named features / sum of (score - bias)


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
        """The figures of the pairs selected by a mask [n]."""
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
    """Measure pairs of rows of `q` and `z` [n, m].

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


def _quotient(part: Any, whole: Any) -> float:
    return float(part) / float(whole) if whole else float("nan")
