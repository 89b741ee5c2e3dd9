"""What a labeller must do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from ..examples import FeatureExamples

Progress: TypeAlias = Callable[[int, int, str], None]  # features done, features in total, a note


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

    def label(self, features: Sequence[FeatureExamples], progress: Progress | None = None) -> Iterator[Proposal]:
        """One proposal a feature, in order of completion."""
