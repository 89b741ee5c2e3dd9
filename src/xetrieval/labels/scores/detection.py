"""Detection: does the label fit the active texts better than the silent ones?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...configs import ScoresConfig
from ...configs.labels import LEAST_TEXTS, Negatives
from ..examples import FeatureExamples
from ..judges import Judge, Text
from .base import Texts, active_examples, right_order, silent_examples


class Detection:
    """Whole texts."""

    name, chance, needs_label = "detection", 0.5, True

    def texts(self, feature: FeatureExamples, negatives: Negatives, config: ScoresConfig) -> Texts | None:
        """Equal numbers of active and silent texts."""
        active, silent = active_examples(feature, config), silent_examples(feature, negatives)
        count = min(len(active), len(silent), config.texts)
        if count < LEAST_TEXTS:
            return None
        return Texts(tuple(e.text for e in active[:count]), tuple(e.text for e in silent[:count]))

    def value(self, judge: Judge, label: str, texts: Sequence[Text], active: NDArray[np.bool_]) -> float | None:
        """Pairs in the right order."""
        fits = judge.fits(label, texts)
        return None if fits is None else right_order(fits, active)

    def trials(self, texts: int) -> int:
        """One decision per text."""
        return texts


SCORE = Detection
