"""What a person or a program gets back: one score, taken apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ..errors import InputError
from ..views import View
from .evidence import Evidence
from .reading import NOT_COUNTED, Reading
from .records import ExplanationRecord, FeatureRecord
from .shown import Shown

LEAST_SCORE: Final = 0.1  # nearer to zero, the parts are large beside the score, whatever they are
LEAST_OWN: Final = 0.05  # of |score - bias|: what is there for features to explain
MOST_EXPLAINED: Final = 2.0
DEFAULT_TOP: Final = 8  # features that are shown unless another number is asked for


class Chunk(NamedTuple):
    """document[start:end] of a long document, and its score."""

    start: int
    end: int
    score: float


@dataclass(frozen=True)
class FeatureShare:
    """One feature that query and document share, and the part of the score that it carries."""

    id: int
    label: str | None  # None: nobody has named it
    share: float  # signed, in units of the score
    query_activation: float
    view_activations: Mapping[View, float]  # 0 where the feature is silent in that view
    twins: tuple[int, ...] = ()  # other features of nearly the same direction, whose share is in this one; see TWIN

    @property
    def name(self) -> str:
        """The label, or the id where there is none; of twins, all of them."""
        return self.label or " / ".join(f"feature {j}" for j in (self.id, *self.twins))

    def to_dict(self) -> FeatureRecord:
        """The release's entry (feature_id, hypothesis), extended."""
        record: FeatureRecord = {
            "feature_id": self.id,
            "hypothesis": self.label,
            "share": self.share,
            "query_activation": self.query_activation,
            "view_activations": dict(self.view_activations),
        }
        if self.twins:
            record["twins"] = list(self.twins)
        return record


def twin_label(labels: Sequence[str | None], ids: Sequence[int]) -> str | None:
    """One name for features of nearly the same direction: their labels, each once, and the ids of those without one."""
    if not any(labels):
        return None
    named = zip(labels, ids, strict=True)
    return " / ".join(dict.fromkeys(label or f"feature {j}" for label, j in named))


@dataclass(frozen=True, repr=False)
class Explanation(Shown):
    """score = bias + sum of shares + remainder. Prints itself in a terminal and in a notebook."""

    score: float  # the retriever's own
    bias: float  # <q, b>: what every document of this corpus gets for being in it
    remainder: float  # what no shared feature accounts for
    features: tuple[FeatureShare, ...]  # O(q,d), by signed share, largest first
    per_view: Mapping[View, tuple[int, ...]]  # feature ids shared with each view
    query_id: str = ""
    doc_id: str = ""
    explainer: str = ""
    encoder: str = ""
    read_query: Reading = NOT_COUNTED  # how much of it the encoder could read
    read_document: Reading = NOT_COUNTED
    query: str = field(default="", repr=False)
    document: str = field(default="", repr=False)
    chunk: int | None = None  # which of `chunks` this explains, where the document was scored by chunks
    chunks: tuple[Chunk, ...] = field(default=(), repr=False)
    steered: tuple[tuple[int, float], ...] = ()  # (feature, factor) of the profile that its document was ranked with
    evidence: Evidence | None = field(default=None, repr=False)  # where the shown features come from, if asked for

    @property
    def shared_features(self) -> tuple[int, ...]:
        """O(q,d), ids ascending."""
        return tuple(sorted(j for feature in self.features for j in (feature.id, *feature.twins)))

    @property
    def explained(self) -> float | None:
        """(bias + sum of shares) / score, from 0 to 2; None where a percentage of the score would mean nothing.

        That is where the score lies within 0.1 of zero, or the parts and the score have opposite signs.
        """
        return _part_of(self.bias + sum(feature.share for feature in self.features), self.score)

    @property
    def explained_without_bias(self) -> float | None:
        """Sum of shares / score; None as above, and where the bias has the other sign or is all but the whole score."""
        if self.explained is None or self.bias * self.score < 0 or abs(self.score - self.bias) < LEAST_OWN:
            return None
        return _part_of(sum(feature.share for feature in self.features), self.score)

    def top(self, count: int | None) -> tuple[tuple[FeatureShare, ...], tuple[FeatureShare, ...]]:
        """The `count` features of largest |share|, and the others; both by signed share.

        Raises:
            InputError: a negative count.
        """
        if count is None or count >= len(self.features):
            return self.features, ()
        if count < 0:
            raise InputError(f"cannot show {count} features; give 0 or more")
        chosen = {f.id for f in sorted(self.features, key=lambda f: -abs(f.share))[:count]}
        shown = tuple(f for f in self.features if f.id in chosen)
        return shown, tuple(f for f in self.features if f.id not in chosen)

    def to_dict(self, top: int | None = None) -> ExplanationRecord:
        """The release's fields, extended. With `top`, the other features stand summed in other_features."""
        shown, others = self.top(top)
        record: ExplanationRecord = {
            "query_id": self.query_id,
            "doc_id": self.doc_id,
            "score": self.score,
            "bias": self.bias,
            "remainder": self.remainder,
            "explained": self.explained,
            "explained_without_bias": self.explained_without_bias,
            "shared_features": list(self.shared_features),
            "per_view_shared_features": {view: list(ids) for view, ids in self.per_view.items()},
            "feature_explanations": [feature.to_dict() for feature in shown],
            "explainer": self.explainer,
            "encoder": self.encoder,
            "truncated": self.read_query.unread > 0 or self.read_document.unread > 0,
            "unread_tokens": {"query": self.read_query.unread, "document": self.read_document.unread},
            "unknown_tokens": {"query": self.read_query.unknown, "document": self.read_document.unknown},
            "read_tokens": {"query": self.read_query.tokens, "document": self.read_document.tokens},
        }
        if top is not None:
            record["other_features"] = {"count": len(others), "share": sum(f.share for f in others)}
        if self.steered:
            record["steered"] = {str(feature): factor for feature, factor in self.steered}
        if self.chunk is not None:
            record["chunk"] = self.chunk
            record["chunks"] = [{"start": c.start, "end": c.end, "score": c.score} for c in self.chunks]
        if self.evidence is not None:
            record["evidence"] = self.evidence.to_dict()
        return record


def _part_of(part: float, score: float) -> float | None:
    """`part` / `score`, or None: see `Explanation.explained`."""
    if not abs(score) >= LEAST_SCORE or not 0 <= part / score <= MOST_EXPLAINED:
        return None
    return part / score
