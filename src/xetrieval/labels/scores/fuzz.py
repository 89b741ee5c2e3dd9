"""Fuzz: does the label fit the active part of a text better than the silent part?"""

from __future__ import annotations

from ...configs import ScoresConfig
from ...configs.labels import LEAST_TEXTS, Negatives
from ..examples import FeatureExamples
from ..judges import Marked
from .base import Texts, active_examples, silent_examples
from .detection import Detection


class Fuzz(Detection):
    """Detection with texts of two sentences, one of them marked."""

    name = "fuzz"

    def texts(self, feature: FeatureExamples, negatives: Negatives, config: ScoresConfig) -> Texts | None:
        """Each text twice, with the active and with the silent sentence marked.

        For hard negatives both sentences come from one document, so only the mark tells the two apart.
        """
        active = active_examples(feature, config)
        pairs = [(e.text, e.foil) for e in active if e.foil]
        if negatives == "random":
            silent = silent_examples(feature, negatives)
            pairs = [(e.text, s.text) for e, s in zip(active, silent, strict=False)]
        if len(pairs) < LEAST_TEXTS:
            return None
        # The active sentence comes first in every other text.
        marked = [Marked("", a, s) if i % 2 == 0 else Marked(s, a, "") for i, (a, s) in enumerate(pairs)]
        others = [Marked(a, s, "") if i % 2 == 0 else Marked("", s, a) for i, (a, s) in enumerate(pairs)]
        return Texts(tuple(marked), tuple(others))


SCORE = Fuzz
