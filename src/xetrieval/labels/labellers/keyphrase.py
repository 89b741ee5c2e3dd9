"""Labels from phrases: offline, instant, and lexical only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ...progress import Progress, silent
from ..examples import FeatureExamples
from ..keyphrases import keyphrase_labels
from .base import Proposal


class KeyphraseLabeller:
    """Labels a feature with the phrases that are more frequent in its texts than in the background."""

    source, prompt = "keyphrase", None

    def __init__(self, background: Iterable[str]) -> None:
        self.background = list(background)

    def label(self, features: Sequence[FeatureExamples], progress: Progress = silent) -> Iterator[Proposal]:
        """One proposal per feature; no label if its texts share no phrase."""
        texts = [*self.background]
        rows: list[list[int]] = []
        for feature in features:
            active = [example.text for example in feature.labelling.active]
            rows.append(list(range(len(texts), len(texts) + len(active))))
            texts += active
        labels = keyphrase_labels(texts.__getitem__, rows, range(len(self.background)))
        for done, (feature, label) in enumerate(zip(features, labels, strict=True), 1):
            progress("label", done, len(features), "")
            yield Proposal(feature.feature_id, label, None if label else "its texts share no phrase")
