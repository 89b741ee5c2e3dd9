"""Matches features of two autoencoders that have nearly the same direction and activations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np

from ..arrays import Float32, l2norm
from ..errors import InputError, MismatchError
from ..sae import SparseAutoencoder
from .examples import active_entries

LEAST_COSINE: Final = 0.7
LEAST_OVERLAP: Final = 0.3


class Match(NamedTuple):
    """Two features, each the other's nearest direction."""

    old: int
    new: int
    cosine: float  # cosine between their directions
    overlap: float  # Jaccard index of the passages on which they are active

    @property
    def fields(self) -> dict[str, float | int]:
        """As recorded in the history."""
        return {"feature": self.old, "cosine": round(self.cosine, 4), "overlap": round(self.overlap, 4)}


class Matches(NamedTuple):
    """Pairs within both limits, and the other nearest pairs."""

    accepted: list[Match]
    refused: list[Match]


def match_features(
    old: SparseAutoencoder,
    new: SparseAutoencoder,
    vectors: Iterable[Float32],
    least_cosine: float = LEAST_COSINE,
    least_overlap: float = LEAST_OVERLAP,
) -> Matches:
    """Pairs of features that are each other's nearest direction, and the overlap of their activations.

    Args:
        vectors: blocks [n, m] from the encoder of both autoencoders.
    Raises:
        MismatchError: different dimensions. InputError: a limit outside [0, 1], or no vectors.
    """
    if old.dimension != new.dimension:
        raise MismatchError(f"autoencoders of {old.dimension} and {new.dimension} dimensions; their encoders differ")
    if not (0 <= least_cosine <= 1 and 0 <= least_overlap <= 1):
        raise InputError("transfer: both limits must be between 0 and 1")
    cosine = l2norm(old.directions) @ l2norm(new.directions).T
    nearest, back = cosine.argmax(axis=1), cosine.argmax(axis=0)
    mutual = np.flatnonzero(back[nearest] == np.arange(old.features))
    partner = np.full(old.features, -1)
    partner[mutual] = nearest[mutual]
    both, old_count, new_count = np.zeros(old.features), np.zeros(old.features), np.zeros(new.features)
    rows = 0
    for block in vectors:
        row_old, feature_old, _ = active_entries(old.encode(block, bulk=True))
        row_new, feature_new, _ = active_entries(new.encode(block, bulk=True))
        old_count += np.bincount(feature_old, minlength=old.features)
        new_count += np.bincount(feature_new, minlength=new.features)
        # Each entry (row, feature) as one number, to find the partner of each old entry among the new ones.
        active = row_new * new.features + feature_new
        expected = row_old * new.features + partner[feature_old]
        together = np.isin(expected, active) & (partner[feature_old] >= 0)
        both += np.bincount(feature_old[together], minlength=old.features)
        rows += len(block)
    if not rows:
        raise InputError("transfer: no texts to compare activations on")
    overlap = both / np.maximum(1.0, old_count + new_count[partner] - both)
    matches = [Match(int(j), int(partner[j]), float(cosine[j, partner[j]]), float(overlap[j])) for j in mutual]
    matched = Matches([], [])
    for m in matches:
        within = m.cosine >= least_cosine and m.overlap >= least_overlap
        (matched.accepted if within else matched.refused).append(m)
    return matched
