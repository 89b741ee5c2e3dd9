"""A score that is no plain cosine, taken apart: features, words, bias and remainder that add up to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple

from ..errors import InputError, MismatchError
from .attribution import TOLERANCE
from .records import BreakdownRecord, PartRecord
from .shown import Shown


class Part(NamedTuple):
    """What one feature or one word adds to the score."""

    kind: Literal["feature", "word"]
    name: str
    share: float
    feature_id: int | None = None
    detail: Mapping[str, float] = MappingProxyType({})  # how it comes about: by view, or as activations and weight

    def to_dict(self) -> PartRecord:
        """As JSON holds it."""
        record: PartRecord = {
            "kind": self.kind,
            "name": self.name,
            "share": self.share,
            "detail": dict(self.detail),
        }
        if self.feature_id is not None:
            record["feature_id"] = self.feature_id
        return record


@dataclass(frozen=True, repr=False)
class Breakdown(Shown):
    """score = bias + sum of parts + remainder. Prints itself.

    Raises:
        MismatchError: the parts do not add up within 1e-5 of the score.
    """

    score: float
    mode: str  # how the document was ranked
    parts: tuple[Part, ...]  # by share, largest first
    bias: float = 0.0
    remainder: float = 0.0
    note: str = ""  # how to read it
    doc_id: str = ""
    query: str = field(default="", repr=False)
    document: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        gap = abs(self.bias + self.remainder + sum(part.share for part in self.parts) - self.score)
        if not gap <= TOLERANCE * max(1.0, abs(self.score)):  # so written, a NaN fails
            raise MismatchError(f"{self.mode}: the parts add up to the score only within {gap:.1e}")

    def top(self, count: int | None) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        """The `count` parts of largest |share|, and the others; both by signed share.

        Raises:
            InputError: a negative count.
        """
        if count is None or count >= len(self.parts):
            return self.parts, ()
        if count < 0:
            raise InputError(f"cannot show {count} parts; give 0 or more")
        chosen = set(sorted(range(len(self.parts)), key=lambda i: -abs(self.parts[i].share))[:count])
        return (
            tuple(part for i, part in enumerate(self.parts) if i in chosen),
            tuple(part for i, part in enumerate(self.parts) if i not in chosen),
        )

    def to_dict(self, top: int | None = None) -> BreakdownRecord:
        """As JSON holds it. With `top`, the other parts stand summed in other_parts."""
        shown, others = self.top(top)
        record: BreakdownRecord = {
            "doc_id": self.doc_id,
            "mode": self.mode,
            "score": self.score,
            "bias": self.bias,
            "remainder": self.remainder,
            "parts": [part.to_dict() for part in shown],
        }
        if top is not None:
            record["other_parts"] = {"count": len(others), "share": sum(part.share for part in others)}
        if self.note:
            record["note"] = self.note
        return record
