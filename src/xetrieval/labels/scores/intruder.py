"""Intruder: which text does not belong? It scores the feature's texts, without a label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...configs import ScoresConfig
from ...configs.labels import Negatives
from ..examples import FeatureExamples
from ..judges import Judge, Text
from .base import Texts, silent_examples

TOP: Final = 9  # strong texts in addition to the intruder
LEAST_DOCUMENTS: Final = 50  # the feature must be active on at least this many documents


class Intruder:
    """Nine of the strongest texts and a silent one."""

    name, chance, needs_label = "intruder", 1 / (TOP + 1), False

    def texts(self, feature: FeatureExamples, negatives: Negatives, config: ScoresConfig) -> Texts | None:
        """Nine active texts and a silent one, drawn by the seed."""
        top, silent = feature.judging.top[:TOP], silent_examples(feature, negatives)
        if feature.documents < LEAST_DOCUMENTS or len(top) < TOP or not silent:
            return None
        drawn = int(np.random.default_rng([config.seed, feature.feature_id]).integers(len(silent)))
        return Texts(tuple(e.text for e in top), (silent[drawn].text,))

    def value(self, judge: Judge, label: str, texts: Sequence[Text], active: NDArray[np.bool_]) -> float | None:
        """1 if the judge finds the silent text, else 0."""
        intruder = judge.intruder([text for text in texts if isinstance(text, str)])
        return None if intruder is None else float(not active[intruder])

    def trials(self, texts: int) -> int:
        """One decision."""
        return 1


SCORE = Intruder
