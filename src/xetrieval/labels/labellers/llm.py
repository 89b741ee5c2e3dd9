"""Labels from a language model that sees active and silent texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TypeAlias

from ...configs import LlmLabelConfig
from ...errors import InputError
from ...llm import CachedChat, Request, attempts, in_parallel, read_prompt
from ...progress import Progress, silent
from ..examples import PROMPTS, Example, FeatureExamples, one_line
from ..naming import read_label
from .base import Proposal

Rating: TypeAlias = Callable[[str, FeatureExamples], float]  # how well a label fits a feature's labelling side

SILENT = 10  # silent texts in a prompt


class LlmLabeller:
    """Asks for several candidates and keeps the one that fits the labelling side best.

    Args:
        rating: chooses between candidates; required for more than one.
    """

    def __init__(self, model: CachedChat, rating: Rating | None = None, config: LlmLabelConfig | None = None) -> None:
        config = config or LlmLabelConfig()
        if config.candidates > 1 and rating is None:
            raise InputError("labels: several candidates need a judge to choose between them")
        self.model, self.rating, self.config = model, rating, config
        self._prompt = read_prompt(config.prompt, PROMPTS)
        self._prompt.require_places("active", "fence")
        self.source, self.prompt = f"llm:{model.name}", self._prompt.identity

    def requests(self, features: Sequence[FeatureExamples]) -> Iterator[Request]:
        """The requests for `features`, as if every answer were usable."""
        for feature in features:
            for attempt in range(self.config.candidates):
                yield self._prompt.request(attempt, **_texts(feature))

    def label(self, features: Sequence[FeatureExamples], progress: Progress = silent) -> Iterator[Proposal]:
        """One proposal per feature, in order of completion."""
        for done, (_, proposal) in enumerate(in_parallel(self._label, features, self.config.concurrency), 1):
            progress("label", done, len(features), f"{self.model.ledger.usage.total:,} tokens")
            yield proposal

    def _label(self, feature: FeatureExamples) -> Proposal:
        active = [example.text for example in feature.labelling.active]
        if not active:
            return Proposal(feature.feature_id, None, "no text activates it")
        labels: dict[str, None] = {}
        failures = 0
        answers = attempts(self.model, self._prompt, partial(read_label, texts=active), **_texts(feature))
        for answer in islice(answers, self.config.candidates + self.config.retries):
            if answer.value is None:
                failures += 1
            else:
                labels[answer.value] = None
            if len(labels) == self.config.candidates or failures > self.config.retries:
                break
        if not labels:
            return Proposal(feature.feature_id, None, answer.fault)
        best = next(iter(labels))
        if self.rating is not None and len(labels) > 1:
            rating = self.rating
            best = max(labels, key=lambda label: rating(label, feature))
        return Proposal(feature.feature_id, best)


def _texts(feature: FeatureExamples) -> dict[str, str]:
    """The places of the prompt, filled."""
    side = feature.labelling
    most = max((example.activation for example in side.active), default=1.0)
    lines = [f"{max(1, round(10 * e.activation / most))} {one_line(e.text)}" for e in side.active]
    silent = [one_line(e.text) for e in _alternate(side.hard, side.random)[:SILENT]]
    return {"active": "\n".join(lines), "silent": "\n".join(silent)}


def _alternate(first: Sequence[Example], second: Sequence[Example]) -> list[Example]:
    count = max(len(first), len(second))
    return [part[i] for i in range(count) for part in (first, second) if i < len(part)]
