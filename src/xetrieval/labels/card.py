"""All that is known of one feature, in one place: what the terminal, JSON and the page show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..arrays import l2norm
from ..errors import InputError
from ..features import Family, Feature
from ..sae import SparseAutoencoder
from .examples import Example, FeatureExamples
from .keyphrases import fold

BINS = 12


class Neighbour(NamedTuple):
    """Another feature and how near it is: cosine of directions, or Jaccard's index of what activates both."""

    feature: int
    label: str | None
    nearness: float


class Bin(NamedTuple):
    """Activations from `low` to `high` in a sample, as a fraction of it."""

    low: float
    high: float
    fraction: float


@dataclass(frozen=True)
class FeatureCard:
    """A feature with its surroundings; what needs examples is empty without them."""

    feature: Feature
    families: tuple[str, ...]  # upper and lower
    nearest: tuple[Neighbour, ...]
    coactive: tuple[Neighbour, ...]
    histogram: tuple[Bin, ...]
    documents: int | None
    examples: tuple[Example, ...]  # strongest first

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            **self.feature.to_dict(),
            "families": list(self.families),
            "nearest": [n._asdict() for n in self.nearest],
            "coactive": [n._asdict() for n in self.coactive],
            "histogram": [b._asdict() for b in self.histogram],
            "documents": self.documents,
            "texts": [{"id": e.id, "activation": e.activation, "text": e.shown} for e in self.examples],
        }


def feature_card(
    number: int,
    sae: SparseAutoencoder,
    features: Sequence[Feature],
    families: Sequence[Family] = (),
    examples: FeatureExamples | None = None,
    neighbours: int = 5,
) -> FeatureCard:
    """The card of feature `number`.

    Raises:
        InputError: there is no such feature.
    """
    if not 0 <= number < len(features):
        raise InputError(f"there is no feature {number} (0 to {len(features) - 1})")
    unit = l2norm(sae.directions)
    cosine = unit @ unit[number]
    cosine[number] = -np.inf
    nearest = np.argsort(-cosine, kind="stable")[:neighbours]
    own = features[number].family
    path: list[str] = []
    while own is not None and own < len(families):
        path.insert(0, families[own].name)
        own = families[own].parent
    coactive = examples.coactive[:neighbours] if examples is not None else ()
    return FeatureCard(
        feature=features[number],
        families=tuple(path),
        nearest=tuple(Neighbour(int(j), features[j].label, round(float(cosine[j]), 4)) for j in nearest),
        coactive=tuple(Neighbour(j, features[j].label, index) for j, index in coactive),
        histogram=_histogram(examples.activations) if examples is not None else (),
        documents=None if examples is None else examples.documents,
        examples=() if examples is None else _all(examples),
    )


def search_features(text: str, features: Sequence[Feature]) -> list[Feature]:
    """Features whose label holds every word of `text`, else any, by how many words it holds; plural and case aside."""
    words = {fold(word) for word in text.split()}
    held = {f.feature_id: len(words & {fold(w.strip(".,;:()")) for w in (f.label or "").split()}) for f in features}
    whole = text.strip().casefold()
    found = [f for f in features if held[f.feature_id] or (whole and whole in (f.label or "").casefold())]
    return sorted(found, key=lambda f: (-held[f.feature_id], len((f.label or "").split()), -f.frequency, f.feature_id))


def _histogram(activations: Sequence[float]) -> tuple[Bin, ...]:
    if not activations:
        return ()
    counts, edges = np.histogram(activations, bins=BINS, range=(0.0, max(activations)))
    return tuple(
        Bin(round(float(low), 4), round(float(high), 4), round(float(count) / len(activations), 4))
        for count, low, high in zip(counts, edges, edges[1:], strict=False)
    )


def _all(examples: FeatureExamples) -> tuple[Example, ...]:
    both = (*examples.shown.active, *examples.judged.active)
    return tuple(sorted(both, key=lambda e: (-e.activation, e.id)))
