"""Everything known about one feature: what the terminal and JSON show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from ..arrays import Float32, l2norm
from ..features import Family, Feature, check_feature_ids
from ..sae import SparseAutoencoder
from ..text import fold
from .examples import Example, FeatureExamples

BINS: Final = 12


class Neighbour(NamedTuple):
    """Another feature and how near it is: cosine of directions, or Jaccard index of the passages that activate both."""

    feature_id: int
    label: str | None
    nearness: float


@dataclass(frozen=True)
class Bin:
    """How many activations lie between `low` and `high`."""

    low: float
    high: float
    count: int


@dataclass(frozen=True)
class FeatureCard:
    """A feature with its surroundings. What needs examples is empty without them."""

    feature: Feature
    families: tuple[str, ...]  # upper and lower
    nearest: tuple[Neighbour, ...]
    coactive: tuple[Neighbour, ...]
    histogram: tuple[Bin, ...]  # of a sample of activations
    documents: int | None
    examples: tuple[Example, ...]  # strongest first

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **self.feature.to_dict(),
            "families": self.families,
            "nearest": [neighbour._asdict() for neighbour in self.nearest],
            "coactive": [neighbour._asdict() for neighbour in self.coactive],
            "histogram": [asdict(bin) for bin in self.histogram],
            "documents": self.documents,
            "examples": [{"id": e.id, "text": e.text, "activation": e.activation} for e in self.examples],
        }


def feature_card(
    feature_id: int,
    sae: SparseAutoencoder,
    features: Sequence[Feature],
    families: Sequence[Family] = (),
    examples: FeatureExamples | None = None,
    neighbours: int = 5,
) -> FeatureCard:
    """The card of one feature.

    Raises:
        InputError: there is no such feature.
    """
    check_feature_ids([feature_id], len(features))
    unit = l2norm(sae.directions)
    cosine = unit @ unit[feature_id]
    cosine[feature_id] = -np.inf
    nearest = np.argsort(-cosine, kind="stable")[:neighbours]
    family = features[feature_id].family
    path: list[str] = []
    while family is not None and family < len(families):
        path.insert(0, families[family].name)
        family = families[family].parent
    active = (*examples.labelling.active, *examples.judging.active) if examples else ()
    return FeatureCard(
        feature=features[feature_id],
        families=tuple(path),
        nearest=tuple(Neighbour(int(j), features[j].label, round(float(cosine[j]), 4)) for j in nearest),
        coactive=tuple(
            Neighbour(j, features[j].label, index) for j, index in (examples.coactive[:neighbours] if examples else ())
        ),
        histogram=histogram(np.array(examples.activations, np.float32)) if examples else (),
        documents=examples.documents if examples else None,
        examples=tuple(sorted(active, key=lambda e: (-e.activation, e.id))),
    )


def search_features(text: str, features: Sequence[Feature]) -> list[Feature]:
    """Features whose labels contain words of `text`, ignoring case and plural; those with most of them first."""
    words, whole = {fold(word) for word in text.split()}, text.strip().casefold()
    ranked = []
    for feature in features:
        label = (feature.label or "").split()
        matches = len(words & {fold(word.strip(".,;:()")) for word in label})
        if matches or (whole and whole in (feature.label or "").casefold()):
            ranked.append(((-matches, len(label), -feature.frequency, feature.feature_id), feature))
    return [feature for _, feature in sorted(ranked, key=lambda pair: pair[0])]


def histogram(activations: Float32) -> tuple[Bin, ...]:
    """How many of the activations lie in each of twelve equal intervals from 0 to the largest."""
    if not len(activations):
        return ()
    counts, edges = np.histogram(activations, bins=BINS, range=(0.0, float(activations.max())))
    return tuple(
        Bin(round(float(low), 4), round(float(high), 4), int(count))
        for count, low, high in zip(counts, edges, edges[1:], strict=False)
    )
