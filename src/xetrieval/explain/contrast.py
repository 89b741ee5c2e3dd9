"""Why one document stands above another: the shares of both over the same features, and their differences.

With S the union of O(q,d1) and O(q,d2),

    s(q,d1) - s(q,d2) = sum_{j in S} (share_1j - share_2j) + remainder_1 - remainder_2

The bias is the query's alone and cancels. Over one S the shares can be compared; they differ from those that each
document's own explanation shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ..errors import InputError
from ..views import View
from .counterfactual import Counterfactual
from .evidence import Evidence
from .reading import NOT_COUNTED, Reading
from .records import ContrastRecord, FeatureContrastRecord
from .shown import Shown

UNION_NOTE: Final = (
    "shares are over the union of both documents' shared features, so they differ from those of each alone"
)


@dataclass(frozen=True)
class FeatureContrast:
    """One feature's share in both scores."""

    id: int
    label: str | None
    first: float
    second: float
    query_activation: float
    first_views: Mapping[View, float]  # activations; all 0: the document does not have the feature
    second_views: Mapping[View, float]
    twins: tuple[int, ...] = ()  # other features of nearly the same direction, whose shares are in these

    @property
    def difference(self) -> float:
        """What it adds to the first document's lead."""
        return self.first - self.second

    @property
    def name(self) -> str:
        """The label, or the id where there is none."""
        return self.label or " / ".join(f"feature {j}" for j in (self.id, *self.twins))

    def to_dict(self) -> FeatureContrastRecord:
        """As JSON holds it."""
        record: FeatureContrastRecord = {
            "feature_id": self.id,
            "hypothesis": self.label,
            "first": self.first,
            "second": self.second,
            "difference": self.difference,
            "query_activation": self.query_activation,
            "first_view_activations": dict(self.first_views),
            "second_view_activations": dict(self.second_views),
        }
        if self.twins:
            record["twins"] = list(self.twins)
        return record


@dataclass(frozen=True, repr=False)
class Contrast(Shown):
    """difference = sum of the features' differences + difference of the remainders. Prints itself."""

    first_score: float
    second_score: float
    bias: float  # the same in both scores
    first_remainder: float
    second_remainder: float
    features: tuple[FeatureContrast, ...]  # the union, by |difference|, largest first
    explainer: str = ""
    encoder: str = ""
    read_query: Reading = NOT_COUNTED  # how much of it the encoder could read
    read_first: Reading = NOT_COUNTED
    read_second: Reading = NOT_COUNTED
    query: str = field(default="", repr=False)
    first: str = field(default="", repr=False)
    second: str = field(default="", repr=False)
    evidence: tuple[Evidence, Evidence] | None = field(default=None, repr=False)  # of both, if asked for
    counterfactual: Counterfactual | None = None  # what would make them change places, if asked for

    @property
    def difference(self) -> float:
        """Score of the first document less that of the second."""
        return self.first_score - self.second_score

    @property
    def remainder_difference(self) -> float:
        """The part of it that no shared feature accounts for."""
        return self.first_remainder - self.second_remainder

    def top(self, count: int | None) -> tuple[tuple[FeatureContrast, ...], tuple[FeatureContrast, ...]]:
        """The `count` features of largest |difference|, and the others.

        Raises:
            InputError: a negative count.
        """
        if count is not None and count < 0:
            raise InputError(f"cannot show {count} features; give 0 or more")
        return self.features[:count], self.features[len(self.features) if count is None else count :]

    def to_dict(self, top: int | None = None) -> ContrastRecord:
        """As JSON holds it. With `top`, the other features stand summed in other_features."""
        shown, others = self.top(top)
        record: ContrastRecord = {
            "first_score": self.first_score,
            "second_score": self.second_score,
            "difference": self.difference,
            "bias": self.bias,
            "first_remainder": self.first_remainder,
            "second_remainder": self.second_remainder,
            "remainder_difference": self.remainder_difference,
            "shared_features": sorted(j for f in self.features for j in (f.id, *f.twins)),
            "features": [feature.to_dict() for feature in shown],
            "note": UNION_NOTE,
            "explainer": self.explainer,
            "encoder": self.encoder,
            "unread_tokens": {
                "query": self.read_query.unread,
                "first": self.read_first.unread,
                "second": self.read_second.unread,
            },
            "unknown_tokens": {
                "query": self.read_query.unknown,
                "first": self.read_first.unknown,
                "second": self.read_second.unknown,
            },
            "read_tokens": {
                "query": self.read_query.tokens,
                "first": self.read_first.tokens,
                "second": self.read_second.tokens,
            },
        }
        if top is not None:
            record["other_features"] = {
                "count": len(others),
                "first": sum(f.first for f in others),
                "second": sum(f.second for f in others),
                "difference": sum(f.difference for f in others),
            }
        if self.evidence is not None:
            first, second = self.evidence
            record["evidence"] = {"first": first.to_dict(), "second": second.to_dict()}
        if self.counterfactual is not None:
            record["counterfactual"] = self.counterfactual.to_dict()
        return record
