"""Features as an index knows them: how many of its documents have one, how strongly, and which most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ...arrays import Float32
from ...errors import InputError
from ...features import Family, Feature, Score
from ...labels.card import feature_card, search_features
from ...records import Record

if TYPE_CHECKING:
    from ..store.reader import IndexReader as Index

BINS: Final = 12
EXAMPLES: Final = 6
EXAMPLE_CHARACTERS: Final = 400


@dataclass(frozen=True)
class FeatureRow(Record):
    """A feature in a list."""

    feature_id: int
    label: str | None
    source: str | None  # who made the label
    documents: int  # of this index that have it
    fraction: float  # of all documents of this index
    confidence: float | None  # mean detection score of its label; None where it was never judged
    family: int | None


@dataclass(frozen=True)
class FeaturePage(Record):
    """Some of the features."""

    total: int
    offset: int
    features: tuple[FeatureRow, ...]
    families: tuple[Family, ...]


class NearFeature(NamedTuple):
    """Another feature of similar direction."""

    feature_id: int
    label: str | None
    nearness: float
    documents: int


@dataclass(frozen=True)
class Bin:
    """How many documents have an activation from `low` to `high`."""

    low: float
    high: float
    count: int


class FeatureExample(NamedTuple):
    """A document in which the feature is strong."""

    doc_id: str
    title: str
    text: str
    activation: float


@dataclass(frozen=True)
class IndexFeature(FeatureRow):
    """All that is known of one feature in this index."""

    families: tuple[str, ...]
    scores: tuple[Score, ...]  # of its label
    nearest: tuple[NearFeature, ...]
    histogram: tuple[Bin, ...]
    examples: tuple[FeatureExample, ...]


def feature_page(
    index: Index, search: str = "", family: int | None = None, offset: int = 0, limit: int = 50
) -> FeaturePage:
    """Some features: those whose labels have the words of `search`, otherwise all by how many documents have them.

    Raises:
        InputError: no such family.
    """
    explainer = index.explainer
    found = list(explainer.features)
    if search.strip():
        found = search_features(search, found)
    if family is not None:
        if not any(one.id == family for one in explainer.families):
            raise InputError(f"there is no family {family}")
        inside = {family} | {one.id for one in explainer.families if one.parent == family}
        found = [feature for feature in found if feature.family in inside]
    if not search.strip():
        found.sort(key=lambda feature: (-int(index.frequency[feature.feature_id]), feature.feature_id))
    rows = tuple(FeatureRow(*_row(index, feature)) for feature in found[offset : offset + limit])
    return FeaturePage(len(found), offset, rows, explainer.families)


def feature_in_index(index: Index, number: int) -> IndexFeature:
    """One feature, with the documents of this index that have it most.

    Raises:
        InputError: there is no such feature.
    """
    explainer = index.explainer
    card = feature_card(number, explainer.sae, explainer.features, explainer.families)
    rows, values = index.postings(number)
    kept = ~np.isin(rows, index.deleted, assume_unique=True)
    rows, values = rows[kept], values[kept]
    top = np.argsort(-values, kind="stable")[:EXAMPLES]
    strongest = [
        (index.document(row), value) for row, value in zip(rows[top].tolist(), values[top].tolist(), strict=True)
    ]
    return IndexFeature(
        *_row(index, card.feature),
        families=card.families,
        scores=card.feature.scores,
        nearest=tuple(
            NearFeature(near.feature_id, near.label, near.nearness, int(index.frequency[near.feature_id]))
            for near in card.nearest
        ),
        histogram=_histogram(values),
        examples=tuple(
            FeatureExample(stored.id, stored.title, stored.text[:EXAMPLE_CHARACTERS], value)
            for stored, value in strongest
        ),
    )


def _row(index: Index, feature: Feature) -> tuple[int, str | None, str | None, int, float, float | None, int | None]:
    documents = int(index.frequency[feature.feature_id])
    fraction = documents / max(1, len(index))
    return feature.feature_id, feature.label, feature.source, documents, fraction, feature.confidence, feature.family


def _histogram(values: Float32) -> tuple[Bin, ...]:
    if not len(values):
        return ()
    counts, edges = np.histogram(values, bins=BINS, range=(0.0, float(values.max())))
    return tuple(
        Bin(float(low), float(high), int(count)) for count, low, high in zip(counts, edges, edges[1:], strict=False)
    )
