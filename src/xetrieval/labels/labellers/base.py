"""The protocol of labellers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar

from ...progress import Progress, silent


class _Numbered(Protocol):
    @property
    def feature_id(self) -> int:
        """The feature that these belong to."""


Shown = TypeVar("Shown", bound=_Numbered)  # what a labeller sees: examples or uses
Shown_contra = TypeVar("Shown_contra", bound=_Numbered, contravariant=True)


class Proposal(NamedTuple):
    """A label for one feature, or why there is none."""

    feature_id: int
    label: str | None
    fault: str | None = None


class Labeller(Protocol[Shown_contra]):
    """Proposes labels from examples, or from uses."""

    @property
    def source(self) -> str:
        """What the feature table records as the source of the labels."""

    @property
    def prompt(self) -> str | None:
        """Identity of its prompt, if it has one."""

    def label(self, features: Sequence[Shown_contra], progress: Progress = silent) -> Iterator[Proposal]:
        """One proposal per feature, in order of completion."""
