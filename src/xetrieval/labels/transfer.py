"""Labels from one autoencoder to another: only between features that point alike and fire alike, and never silently."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..arrays import Float32, l2norm
from ..errors import InputError, MismatchError
from ..sae import SparseAutoencoder
from .examples import active_entries

LEAST_COSINE, LEAST_OVERLAP = 0.7, 0.3


class Match(NamedTuple):
    """A feature of the old autoencoder, and the one of the new that is each other's nearest direction."""

    old: int
    new: int
    cosine: float  # of their directions
    overlap: float  # Jaccard's index of the passages on which they are active

    @property
    def fields(self) -> dict[str, float | int]:
        """As history records it."""
        return {"feature": self.old, "cosine": round(self.cosine, 4), "overlap": round(self.overlap, 4)}


class Matched(NamedTuple):
    """Pairs that pass both bounds, and those that are nearest to each other and do not."""

    accepted: list[Match]
    refused: list[Match]


def match_features(
    old: SparseAutoencoder,
    new: SparseAutoencoder,
    vectors: Iterable[Float32],
    least_cosine: float = LEAST_COSINE,
    least_overlap: float = LEAST_OVERLAP,
) -> Matched:
    """Pairs of features that are each other's nearest by direction, with how often they are active together.

    Args:
        vectors: blocks [n, m] of the encoder that both were trained for.
    Raises:
        MismatchError: other dimensions. InputError: a bound outside [0, 1], or no vectors.
    """
    if old.dimension != new.dimension:
        raise MismatchError(f"autoencoders of {old.dimension} and {new.dimension} dimensions; their encoders differ")
    if not (0 <= least_cosine <= 1 and 0 <= least_overlap <= 1):
        raise InputError("transfer: bounds lie between 0 and 1")
    cosine = l2norm(old.directions) @ l2norm(new.directions).T
    nearest, back = cosine.argmax(axis=1), cosine.argmax(axis=0)
    own = np.flatnonzero(back[nearest] == np.arange(old.features))
    pairs = np.full(old.features, -1)
    pairs[own] = nearest[own]
    both, here, there, rows = np.zeros(old.features), np.zeros(old.features), np.zeros(new.features), 0
    for block in vectors:
        row_old, feature_old, _ = active_entries(old.encode(block, bulk=True))
        row_new, feature_new, _ = active_entries(new.encode(block, bulk=True))
        here += np.bincount(feature_old, minlength=old.features)
        there += np.bincount(feature_new, minlength=new.features)
        fires = row_new * new.features + feature_new
        expected = row_old * new.features + pairs[feature_old]
        together = np.isin(expected, fires) & (pairs[feature_old] >= 0)
        both += np.bincount(feature_old[together], minlength=old.features)
        rows += len(block)
    if not rows:
        raise InputError("transfer: no texts to compare activations on")
    matches = [
        Match(
            int(j),
            int(pairs[j]),
            float(cosine[j, pairs[j]]),
            float(both[j] / max(1.0, here[j] + there[pairs[j]] - both[j])),
        )
        for j in own
    ]
    good = [m for m in matches if m.cosine >= least_cosine and m.overlap >= least_overlap]
    return Matched(good, [m for m in matches if m not in good])
