"""Scores many labels with one judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ...configs import ScoresConfig
from ...configs.labels import LEAST_TEXTS, Active, Negatives
from ...errors import BudgetSpent, InputError
from ...features import Score
from ...intervals import bootstrap, wilson
from ...llm import in_parallel
from ...progress import Progress, silent
from ...records import Record
from ..examples import FeatureExamples
from ..judges import Judge
from .base import Texts, over_range, right_order
from .table import SCORES


class Question(NamedTuple):
    """One question about one feature."""

    feature_id: int
    kind: str
    negatives: Negatives
    label: str  # empty if the score needs none
    texts: Texts
    shuffled: bool = False  # whether the label belongs to another feature


@dataclass(frozen=True)
class ScoreSummary(Record):
    """One score over many features, with the score of shuffled labels as a baseline."""

    kind: str
    negatives: Negatives
    active: Active
    judge: str
    features: int
    mean: float
    mean_ci: tuple[float, float]  # 95 % bootstrap interval
    chance: float
    texts: int
    seed: int
    shuffled_labels: float | None = None
    shuffled_labels_ci: tuple[float, float] | None = None


@dataclass
class LabelScores:
    """Scores by feature."""

    judge: str
    config: ScoresConfig
    scores: dict[int, list[Score]] = field(default_factory=dict)
    shuffled: dict[int, list[Score]] = field(default_factory=dict)
    failed: int = 0  # questions without a usable answer
    stopped: str | None = None  # why the run ended early

    def values(self, kind: str, negatives: Negatives, *, shuffled: bool = False) -> dict[int, float]:
        """The value of every feature that has one."""
        table = self.shuffled if shuffled else self.scores
        return {
            feature: score.value
            for feature, scores in sorted(table.items())
            for score in scores
            if (score.kind, score.negatives) == (kind, negatives)
        }

    def summary(self) -> list[ScoreSummary]:
        """A summary for each kind of score and each kind of negatives, over all features."""
        return [
            self._summary(kind, negatives, values)
            for kind in self.config.kinds
            for negatives in self.config.negatives
            if (values := self.values(kind, negatives))
        ]

    def _summary(self, kind: str, negatives: Negatives, values: Mapping[int, float]) -> ScoreSummary:
        config, other = self.config, self.values(kind, negatives, shuffled=True)
        return ScoreSummary(
            kind,
            negatives,
            config.active,
            self.judge,
            len(values),
            **_mean("mean", values, config.seed),
            chance=SCORES[kind].chance,
            texts=config.texts,
            seed=config.seed,
            **(_mean("shuffled_labels", other, config.seed) if other else {}),
        )


def score_labels(
    examples: Sequence[FeatureExamples],
    labels: Mapping[int, str],
    judge: Judge,
    config: ScoresConfig | None = None,
    progress: Progress = silent,
) -> LabelScores:
    """Score labelled features on the judging side of their examples.

    A spent budget ends the run: `stopped` says why, and the answers so far are kept.

    Raises:
        InputError: no labelled feature has enough texts.
    """
    config = config or ScoresConfig()
    tasks = list(questions(examples, labels, config))
    if not tasks:
        texts = f"{LEAST_TEXTS} active and {LEAST_TEXTS} silent texts"
        raise InputError(f"scores: no labelled feature has at least {texts} to judge")
    judge.prepare({q.label for q in tasks if q.label}, {text for q in tasks for side in q.texts for text in side})
    scored = LabelScores(judge.name, config)
    answers = in_parallel(lambda question: _score(question, judge, config), tasks, config.concurrency)
    try:
        for done, (question, score) in enumerate(answers, 1):
            if score is None:
                scored.failed += 1
            else:
                table = scored.shuffled if question.shuffled else scored.scores
                table.setdefault(question.feature_id, []).append(score)
            progress("score", done, len(tasks), f"{scored.failed} without a usable answer" if scored.failed else "")
    except BudgetSpent as spent:
        scored.stopped = str(spent)
    return scored


def questions(
    examples: Sequence[FeatureExamples], labels: Mapping[int, str], config: ScoresConfig
) -> Iterator[Question]:
    """All questions of a run, feature by feature in a seeded order, so a run on more features only adds questions."""
    able = [feature for feature in examples if labels.get(feature.feature_id)]
    order = np.random.default_rng(config.seed).permutation(len(able))[: config.features]
    chosen = [able[int(i)] for i in order]
    names = [labels[feature.feature_id] for feature in chosen]
    for i, feature in enumerate(chosen):
        other = next((name for name in names[i + 1 :] + names[:i] if name != names[i]), None)
        for negatives in config.negatives:
            for kind in config.kinds:
                score = SCORES[kind]
                texts = score.texts(feature, negatives, config)
                if texts is None:
                    continue
                label = names[i] if score.needs_label else ""
                yield Question(feature.feature_id, kind, negatives, label, texts)
                if config.shuffled and other is not None and score.needs_label:
                    yield Question(feature.feature_id, kind, negatives, other, texts, shuffled=True)


def fit_to_examples(judge: Judge, label: str, feature: FeatureExamples) -> float:
    """How well a label fits the labelling side, to choose between candidates; 0 without a usable answer."""
    side = feature.labelling
    active = [example.text for example in over_range(side.active, 10)]
    silent = [example.text for example in (*side.hard[:5], *side.random[:5])]
    fits = judge.fits(label, [*active, *silent])
    return 0.0 if fits is None or not silent else right_order(fits, np.arange(len(fits)) < len(active))


def _score(question: Question, judge: Judge, config: ScoresConfig) -> Score | None:
    kind, texts = SCORES[question.kind], [*question.texts.active, *question.texts.silent]
    order = np.random.default_rng([config.seed, question.feature_id, 1]).permutation(len(texts))
    shuffled = [texts[int(i)] for i in order]
    value = kind.value(judge, question.label, shuffled, order < len(question.texts.active))
    if value is None:
        return None
    low, high = wilson(value, kind.trials(len(texts)))
    return Score(
        kind=kind.name,
        negatives=question.negatives,
        judge=judge.name,
        value=round(value, 4),
        low=round(low, 4),
        high=round(high, 4),
        chance=kind.chance,
        texts=len(texts),
        seed=config.seed,
        active=config.active,
    )


def _mean(name: str, values: Mapping[int, float], seed: int) -> dict[str, Any]:
    return bootstrap(np.array(list(values.values())), seed=seed).fields(name)
