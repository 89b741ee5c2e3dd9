"""Everything known about one feature: its label, its neighbours, and where it occurs in a corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from ..arrays import Float32, l2norm
from ..errors import InputError
from ..features import LISTED_WORDS, Family, Feature, check_feature_ids
from ..records import Record, brief
from ..sae import SparseAutoencoder
from ..text import fold
from .examples import FeatureExamples

BINS: Final = 12  # bins in a histogram
NEIGHBOURS: Final = 5


class Neighbour(NamedTuple):
    """Another feature and its similarity: cosine of directions, or Jaccard index of the passages that activate them."""

    feature_id: int
    label: str | None
    nearness: float

    def __repr__(self) -> str:
        return brief(self)


@dataclass(frozen=True)
class Bin:
    """How many activations are between `low` and `high`."""

    low: float
    high: float
    count: int


class FeatureExample(NamedTuple):
    """A text in which a feature is strong: a document or one of its passages."""

    doc_id: str
    title: str
    text: str
    activation: float


@dataclass(frozen=True)
class FeatureCard(Record):
    """A feature, its neighbours, and where it occurs in a corpus."""

    feature: Feature
    families: tuple[str, ...]  # upper and lower
    nearest: tuple[Neighbour, ...]
    histogram: tuple[Bin, ...]  # empty without a corpus
    examples: tuple[FeatureExample, ...]  # strongest first; empty without a corpus
    coactive: tuple[Neighbour, ...] = ()
    documents: int | None = None  # number of documents that have the feature
    fraction: float | None = None  # fraction of all documents

    json_also = ("confidence",)

    @property
    def confidence(self) -> float | None:
        """Mean detection score of the label; None if it was never judged."""
        return self.feature.confidence


def feature_card(
    feature_id: int,
    sae: SparseAutoencoder,
    features: Sequence[Feature],
    families: Sequence[Family] = (),
    examples: FeatureExamples | None = None,
) -> FeatureCard:
    """The card of one feature.

    Raises:
        InputError: there is no such feature.
    """
    check_feature_ids([feature_id], len(features))
    unit = l2norm(sae.directions)
    cosine = unit @ unit[feature_id]
    cosine[feature_id] = -np.inf
    nearest = np.argsort(-cosine, kind="stable")[:NEIGHBOURS]
    family = features[feature_id].family
    path: list[str] = []
    while family is not None and family < len(families):
        path.insert(0, families[family].name)
        family = families[family].parent
    card = FeatureCard(
        features[feature_id],
        tuple(path),
        tuple(Neighbour(int(j), features[j].label, round(float(cosine[j]), 4)) for j in nearest),
        histogram=(),
        examples=(),
    )
    if examples is None:
        return card
    active = sorted((*examples.labelling.active, *examples.judging.active), key=lambda e: (-e.activation, e.id))
    return replace(
        card,
        coactive=tuple(Neighbour(j, features[j].label, index) for j, index in examples.coactive[:NEIGHBOURS]),
        documents=examples.documents,
        histogram=histogram(np.array(examples.activations, np.float32)),
        examples=tuple(FeatureExample(e.id, "", e.text, e.activation) for e in active),
    )


def in_family(features: Sequence[Feature], families: Sequence[Family], family: int) -> list[Feature]:
    """The features of a family and of the families below it."""
    if not any(one.id == family for one in families):
        raise InputError(f"there is no family {family}")
    inside = {family} | {one.id for one in families if one.parent == family}
    return [feature for feature in features if feature.family in inside]


def search_features(text: str, features: Sequence[Feature]) -> list[Feature]:
    """Features whose labels contain words of `text`, ignoring case and plural; most matching words first.

    Then those of which it is another name.
    """
    words, whole = {fold(word) for word in text.split()}, text.strip().casefold()
    ranked = []
    for feature in features:
        label = (feature.label or "").split()
        matches = len(words & {fold(word.strip(".,;:()")) for word in label})
        if matches or (whole and whole in (feature.label or "").casefold()):
            ranked.append(((-matches, len(label), -feature.frequency, feature.feature_id), feature))
        elif whole in (word.casefold() for word in feature.words[:LISTED_WORDS]):
            ranked.append(((1, 0, -feature.frequency, feature.feature_id), feature))
    return [feature for _, feature in sorted(ranked, key=lambda pair: pair[0])]


def histogram(activations: Float32) -> tuple[Bin, ...]:
    """How many activations fall into each of twelve equal intervals from 0 to the largest."""
    if not len(activations):
        return ()
    counts, edges = np.histogram(activations, bins=BINS, range=(0.0, float(activations.max())))
    return tuple(map(Bin, edges[:-1].tolist(), edges[1:].tolist(), counts.tolist()))
