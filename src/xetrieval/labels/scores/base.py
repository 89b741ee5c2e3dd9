"""The protocol of label scores, and what several of them share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float64
from ...configs import ScoresConfig
from ...configs.labels import Negatives
from ..examples import Example, FeatureExamples
from ..judges import Judge, Text


class Texts(NamedTuple):
    """The texts of one question to a judge."""

    active: tuple[Text, ...]
    silent: tuple[Text, ...]


class LabelScore(Protocol):
    """One way to score a label."""

    name: str
    chance: float  # the value expected from guessing
    needs_label: bool

    def texts(self, feature: FeatureExamples, negatives: Negatives, config: ScoresConfig) -> Texts | None:
        """The texts of one question, or None if the feature has too few."""

    def value(self, judge: Judge, label: str, texts: Sequence[Text], active: NDArray[np.bool_]) -> float | None:
        """The score from one judge's answer about shuffled texts, or None without a usable answer.

        Args:
            active: which of the texts are active ones.
        """

    def trials(self, texts: int) -> int:
        """The number of decisions behind a value over `texts` texts, for its interval."""


def active_examples(feature: FeatureExamples, config: ScoresConfig) -> list[Example]:
    """Active examples: over the whole activation range, or only the strongest."""
    side = feature.judging
    return list(side.top[: config.texts]) if config.active == "strongest" else over_range(side.active, config.texts)


def silent_examples(feature: FeatureExamples, negatives: Negatives) -> tuple[Example, ...]:
    """Silent examples of one kind."""
    return feature.judging.random if negatives == "random" else feature.judging.hard


def over_range(active: Sequence[Example], count: int) -> list[Example]:
    """`count` examples spread evenly over the activation range, strongest first."""
    by_strength = sorted(active, key=lambda e: (-e.activation, e.id))
    if len(by_strength) <= count:
        return by_strength
    return [by_strength[int(i)] for i in np.linspace(0, len(by_strength) - 1, count).round()]


def right_order(fits: Float64, active: NDArray[np.bool_]) -> float:
    """The fraction of (active, silent) pairs in which the active text fits better; ties count half."""
    a, b = fits[active][:, None], fits[~active][None]
    return float(((a > b) + 0.5 * (a == b)).mean())
