"""Labels from a language model that sees where a feature is used and where it is not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import ClassVar, Final, Generic

import numpy as np

from ...configs import LlmLabelConfig
from ...errors import InputError
from ...llm import Answer, CachedChat, Checked, Request, attempts, in_parallel, read_prompt
from ...progress import Progress, silent
from ..examples import PROMPTS, Example, FeatureExamples, one_line
from ..judges import Judge, LlmJudge
from ..naming import read_label
from ..scores import right_order
from ..use_lines import FeatureUses
from .base import Proposal, Shown

SILENT: Final = 10  # silent texts in a prompt
HOLDS: Final = 0.7  # a label holds if it orders this fraction of pairs (unseen use, use of a similar feature) correctly
STAND_IN: Final = "a name of five words"  # placeholder label for estimating the cost of a trial
UNFIT: Final = "the name {!r} did not fit other pairs that the feature links better than pairs that similar ones link"


class ByLlm(ABC, Generic[Shown]):
    """Asks for several candidates and keeps the one that fits best.

    Args:
        rating: how well a label fits a feature; required for more than one candidate, or with `least`.
        least: the lowest rating of an accepted label; if a label is rated lower, the model is told the rating and asked
        again.
    """

    usual_prompt: ClassVar[str]
    required: ClassVar[str]  # placeholder that the prompt must have

    def __init__(
        self,
        model: CachedChat,
        rating: Callable[[str, Shown], float] | None = None,
        config: LlmLabelConfig | None = None,
        *,
        least: float | None = None,
    ) -> None:
        config = config or LlmLabelConfig()
        if rating is None and (config.candidates > 1 or least is not None):
            raise InputError("labels: several candidates need a judge to choose between them")
        self.model, self.rating, self.config, self.least = model, rating, config, least
        self._prompt = read_prompt(config.prompt or self.usual_prompt, PROMPTS)
        self._prompt.require_places(self.required, "fence")
        self.source, self.prompt = f"llm:{model.name}", self._prompt.identity

    @abstractmethod
    def _places(self, feature: Shown) -> dict[str, str]:
        """Values for the prompt's placeholders."""

    @abstractmethod
    def _texts(self, feature: Shown) -> list[str]:
        """Texts whose language the label must be in."""

    def requests(self, features: Sequence[Shown]) -> Iterator[Request]:
        """The requests for `features`, assuming that every answer is usable."""
        for feature in features:
            for attempt in range(self.config.candidates):
                yield self._prompt.request(attempt, **self._places(feature))

    def label(self, features: Sequence[Shown], progress: Progress = silent) -> Iterator[Proposal]:
        """One proposal per feature, in order of completion."""
        for done, (_, proposal) in enumerate(in_parallel(self._label, features, self.config.concurrency), 1):
            progress("label", done, len(features), f"{self.model.ledger.usage.total:,} tokens")
            yield proposal

    def _label(self, feature: Shown) -> Proposal:
        texts = self._texts(feature)
        if not texts:
            return Proposal(feature.feature_id, None, "no text activates it")
        labels: dict[str, None] = {}
        ratings: dict[str, float] = {}  # ratings of the labels tried so far
        failures = 0
        check = partial(self._check, feature=feature, texts=texts, ratings=ratings)
        answers = attempts(self.model, self._prompt, check, **self._places(feature))
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
            best = max(labels, key=lambda label: ratings[label] if label in ratings else rating(label, feature))
        return Proposal(feature.feature_id, best)

    def _check(self, answer: Answer, feature: Shown, texts: list[str], ratings: dict[str, float]) -> Checked[str]:
        """Check that a label is usable and, if it must be tried, that it fits."""
        found = read_label(answer, texts)
        if found.value is None or self.least is None or self.rating is None:
            return found
        ratings[found.value] = self.rating(found.value, feature)
        return found if ratings[found.value] >= self.least else Checked(None, UNFIT.format(found.value))


class LlmLabeller(ByLlm[FeatureExamples]):
    """Shows a model active texts with their strengths, and silent ones."""

    usual_prompt, required = "label", "active"

    def _places(self, feature: FeatureExamples) -> dict[str, str]:
        side = feature.labelling
        most = max((example.activation for example in side.active), default=1.0)
        lines = [f"{max(1, round(10 * e.activation / most))} {one_line(e.text)}" for e in side.active]
        silent = [one_line(e.text) for e in _alternate(side.hard, side.random)[:SILENT]]
        return {"active": "\n".join(lines), "silent": "\n".join(silent)}

    def _texts(self, feature: FeatureExamples) -> list[str]:
        return [example.text for example in feature.labelling.active]


class UsesLabeller(ByLlm[FeatureUses]):
    """Shows a model pairs linked by a feature and pairs linked by similar ones; tries each label on unseen pairs."""

    usual_prompt, required = "label_uses", "uses"

    def __init__(self, model: CachedChat, judge: Judge, config: LlmLabelConfig | None = None) -> None:
        super().__init__(model, partial(fit_to_uses, judge), config, least=HOLDS)
        self.judge = judge

    def requests(self, features: Sequence[FeatureUses]) -> Iterator[Request]:
        """The requests, including a trial of each label if a model judges."""
        yield from super().requests(features)
        if isinstance(self.judge, LlmJudge):
            for feature in features:
                for _ in range(self.config.candidates):
                    yield from self.judge.requests(STAND_IN, [*feature.unseen, *feature.unseen_others])

    def _places(self, feature: FeatureUses) -> dict[str, str]:
        return {"uses": "\n".join(feature.shown), "others": "\n".join(feature.others)}

    def _texts(self, feature: FeatureUses) -> list[str]:
        return list(feature.shown)


def fit_to_uses(judge: Judge, label: str, feature: FeatureUses) -> float:
    """The fraction of pairs (unseen use, use of a similar feature) that a label orders correctly."""
    texts = [*feature.unseen, *feature.unseen_others]
    order = np.random.default_rng(feature.feature_id).permutation(len(texts))
    fits = judge.fits(label, [texts[i] for i in order])
    return 0.0 if fits is None else right_order(fits, order < len(feature.unseen))


def _alternate(first: Sequence[Example], second: Sequence[Example]) -> list[Example]:
    count = max(len(first), len(second))
    return [part[i] for i in range(count) for part in (first, second) if i < len(part)]
