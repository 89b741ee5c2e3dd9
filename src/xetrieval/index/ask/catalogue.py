"""Features as an index knows them: how many of its documents have one, how strongly, and which most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ...errors import InputError
from ...features import Feature
from ...labels.card import feature_card, search_features
from .records import BinRecord, FeatureCardRecord, FeaturePageRecord, FeatureRowRecord, NeighbourRecord

if TYPE_CHECKING:
    from ..store.reader import IndexReader as Index

BINS: Final = 12
EXAMPLES: Final = 6
EXAMPLE_LETTERS: Final = 400


def feature_page(
    index: Index, search: str = "", family: int | None = None, offset: int = 0, limit: int = 50
) -> FeaturePageRecord:
    """Some features: those whose names hold the words of `search`, else all by how many documents have them.

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
    rows = [_row(index, feature) for feature in found[offset : offset + limit]]
    families = [
        {"id": one.id, "name": one.name, "parent": one.parent, "features": one.features} for one in explainer.families
    ]
    return {"total": len(found), "offset": offset, "features": rows, "families": families}  # type: ignore[typeddict-item]


def feature_in_index(index: Index, number: int) -> FeatureCardRecord:
    """The card of one feature, with the documents of this index that have it most.

    Raises:
        InputError: there is no such feature.
    """
    explainer = index.explainer
    card = feature_card(number, explainer.sae, explainer.features, explainer.families)
    rows, values = index.postings(number)
    kept = ~np.isin(rows, index.deleted, assume_unique=True)
    rows, values = rows[kept], values[kept]
    top = np.argsort(-values, kind="stable")[:EXAMPLES]
    examples = []
    for row, value in zip(rows[top].tolist(), values[top].tolist(), strict=True):
        document = index.document(row)
        examples.append(
            {
                "id": document.id,
                "title": document.title,
                "text": document.text[:EXAMPLE_LETTERS],
                "activation": float(value),
            }
        )
    return {
        **_row(index, card.feature),
        "families": list(card.families),
        "scores": [_score(score) for score in card.feature.scores],
        "nearest": [_neighbour(index, n.feature_id, n.label, n.nearness) for n in card.nearest],
        "histogram": _histogram(values),
        "examples": examples,  # type: ignore[typeddict-item]
    }


def confidence_of(feature: Feature) -> float | None:
    """Mean detection score of a feature's name; None where it was never judged."""
    detection = [score.value for score in feature.scores if score.kind == "detection"]
    return float(np.mean(detection)) if detection else None


def _row(index: Index, feature: Feature) -> FeatureRowRecord:
    return {
        "feature_id": feature.feature_id,
        "hypothesis": feature.label,
        "source": feature.source,
        "documents": int(index.frequency[feature.feature_id]),
        "share_of_documents": float(index.frequency[feature.feature_id] / max(1, len(index))),
        "confidence": confidence_of(feature),
        "family": feature.family,
    }


def _score(score: Any) -> Any:
    return {
        "kind": score.kind,
        "judge": score.judge,
        "value": score.value,
        "low": score.low,
        "high": score.high,
        "chance": score.chance,
        "texts": score.texts,
    }


def _neighbour(index: Index, number: int, label: str | None, nearness: float) -> NeighbourRecord:
    return {
        "feature_id": number,
        "hypothesis": label,
        "nearness": nearness,
        "documents": int(index.frequency[number]),
    }


def _histogram(values: Any) -> list[BinRecord]:
    if not len(values):
        return []
    counts, edges = np.histogram(values, bins=BINS, range=(0.0, float(values.max())))
    return [
        {"low": float(low), "high": float(high), "count": int(count)}
        for count, low, high in zip(counts, edges, edges[1:], strict=False)
    ]
