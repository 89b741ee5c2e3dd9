"""Features of an index: how many documents have each one, how strongly, and which have it most strongly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ...features import Family, LabelledFeature
from ...labels.card import FeatureCard, FeatureExample, feature_card, histogram, in_family, search_features
from ...records import Record

if TYPE_CHECKING:
    from ..store.reader import IndexReader as Index

EXAMPLES: Final = 6
EXAMPLE_CHARACTERS: Final = 400


@dataclass(frozen=True)
class FeatureRow(LabelledFeature):
    """A feature in a list, and how many documents of an index have it."""

    source: str | None  # who made the label
    documents: int
    fraction: float  # fraction of all documents
    confidence: float | None  # mean detection score of its label; None if it was never judged
    family: int | None


@dataclass(frozen=True)
class FeaturePage(Record):
    """One page of a list of features."""

    total: int
    offset: int
    features: tuple[FeatureRow, ...]
    families: tuple[Family, ...]


def feature_row(index: Index, feature_id: int) -> FeatureRow:
    """One feature of an index."""
    feature, documents = index.explainer.features[feature_id], int(index.frequency[feature_id])
    fraction = documents / max(1, len(index))
    return FeatureRow(
        feature_id, feature.label, feature.source, documents, fraction, feature.confidence, feature.family
    )


def feature_page(
    index: Index, search: str = "", family: int | None = None, offset: int = 0, limit: int = 50
) -> FeaturePage:
    """A page of features, by number of documents: those whose labels contain the words of `search`, otherwise all."""
    explainer = index.explainer
    found = list(explainer.features)
    if search.strip():
        found = search_features(search, found)
    if family is not None:
        found = in_family(found, explainer.families, family)
    if not search.strip():
        found.sort(key=lambda feature: (-int(index.frequency[feature.feature_id]), feature.feature_id))
    rows = tuple(feature_row(index, feature.feature_id) for feature in found[offset : offset + limit])
    return FeaturePage(len(found), offset, rows, explainer.families)


def feature_in_index(index: Index, feature_id: int) -> FeatureCard:
    """One feature, with the documents of this index in which it is strongest."""
    explainer = index.explainer
    card = feature_card(feature_id, explainer.sae, explainer.features, explainer.families)
    rows, values = index.postings(feature_id)
    kept = ~np.isin(rows, index.deleted, assume_unique=True)
    rows, values = rows[kept], values[kept]
    top = np.argsort(-values, kind="stable")[:EXAMPLES]
    stored = [index.document(row) for row in rows[top].tolist()]
    row = feature_row(index, feature_id)
    return replace(
        card,
        documents=row.documents,
        fraction=row.fraction,
        histogram=histogram(values),
        examples=tuple(
            FeatureExample(document.id, document.title, document.text[:EXAMPLE_CHARACTERS], value)
            for document, value in zip(stored, values[top].tolist(), strict=True)
        ),
    )
