"""The protocol of judges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np

from ...arrays import Float32, Float64


class Marked(NamedTuple):
    """A text with one part marked; the question is about that part."""

    before: str
    marked: str
    after: str


Text: TypeAlias = str | Marked


class Judge(Protocol):
    """Answers two questions. None means no usable answer; such questions are counted, never guessed."""

    @property
    def name(self) -> str:
        """The name under which scores record it."""

    def prepare(self, labels: Iterable[str], texts: Iterable[Text]) -> None:
        """Announce all coming questions, so that the judge can read their texts in one batch."""

    def fits(self, label: str, texts: Sequence[Text]) -> Float64 | None:
        """How well the label fits each text; only the order of the values matters."""

    def intruder(self, texts: Sequence[str]) -> int | None:
        """The position of the text that does not belong with the others."""


def odd_one_out(vectors: Float32) -> int:
    """The position of the unit vector with the lowest mean cosine to the others."""
    cosine = vectors @ vectors.T
    return int(np.argmin(cosine.sum(axis=1) - np.diag(cosine)))
