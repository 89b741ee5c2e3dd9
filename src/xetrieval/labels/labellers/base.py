"""The protocol of labellers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from ...progress import Progress, silent
from ..examples import FeatureExamples


class Proposal(NamedTuple):
    """A label for one feature, or why there is none."""

    feature_id: int
    label: str | None
    fault: str | None = None


class Labeller(Protocol):
    """Proposes labels from examples."""

    @property
    def source(self) -> str:
        """What the feature table records as the source of the labels."""

    @property
    def prompt(self) -> str | None:
        """Identity of its prompt, if it has one."""

    def label(self, features: Sequence[FeatureExamples], progress: Progress = silent) -> Iterator[Proposal]:
        """One proposal per feature, in order of completion."""
