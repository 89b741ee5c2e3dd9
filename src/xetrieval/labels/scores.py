"""How far labels hold, on texts that no labeller saw.

detection   a judge that knows the label alone tells active texts from silent ones (paper, section 7; chance 0.5)
fuzz        the same for parts: in a text of two sentences one is marked, the active or the silent one (chance 0.5)
intruder    no label: nine of a feature's strongest texts and a silent one, which one does not belong? (paper,
            section 6; chance 0.1; features active on at least 50 documents)

Active texts are spread over the feature's activation range, or its strongest alone: most activations are weak, and a
name says least about those. Silent texts are drawn at random, or hard: those nearest to the feature's active ones. The
value of detection and fuzz is the share of (right, wrong) pairs that the judge puts in the right order, ties counting
half; for a judge that says yes or no on as many right as wrong texts that is its accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np

from ..arrays import Float64
from ..errors import BudgetSpent, InputError
from ..features import Active, Negatives, Score
from ..intervals import bootstrap, wilson
from ..llm import in_parallel
from .examples import Example, FeatureExamples
from .judges import Judge, Marked

KINDS: Final[tuple[str, ...]] = ("detection", "fuzz", "intruder")
NEGATIVES: Final[tuple[Negatives, ...]] = ("random", "hard")
TOP: Final = 9  # of a feature's texts beside an intruder
LEAST_DOCUMENTS: Final = 50  # that a feature must be active on to be tried with an intruder
LEAST_TEXTS: Final = 4  # active ones, and as many silent ones, for a detection or fuzz score

Report = Callable[[int, int, str], None]  # questions done, questions in all, a note


@dataclass(frozen=True)
class ScoresConfig:
    """What is scored, on how much."""

    kinds: tuple[str, ...] = KINDS
    negatives: tuple[Negatives, ...] = NEGATIVES
    features: int | None = None  # a seeded sample; None is all
    texts: int = 10  # active ones, and as many silent ones
    active: Active = "range"  # over the whole activation range, or the strongest alone
    shuffled: bool = True  # also score every label on another feature's texts
    concurrency: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = {*self.kinds} - {*KINDS} | {*self.negatives} - {*NEGATIVES}
        if unknown or not self.kinds or not self.negatives:
            raise InputError(f"scores: kinds are {', '.join(KINDS)}; negatives are {', '.join(NEGATIVES)}")
        if self.texts < LEAST_TEXTS or (self.features is not None and self.features < 1):
            raise InputError(f"scores: at least {LEAST_TEXTS} texts and one feature")


class Task(NamedTuple):
    """One question about one feature."""

    feature: int
    kind: str
    negatives: Negatives
    label: str | None  # None: no label is needed
    right: tuple[Any, ...]
    wrong: tuple[Any, ...]
    shuffled: bool = False


@dataclass
class Scored:
    """Scores by feature, and what they come to."""

    judge: str
    config: ScoresConfig
    scores: dict[int, list[Score]] = field(default_factory=dict)
    shuffled: dict[int, list[Score]] = field(default_factory=dict)
    failed: int = 0  # questions without a usable answer
    stopped: str | None = None  # why it ended early

    def values(self, kind: str, negatives: Negatives, shuffled: bool = False) -> dict[int, float]:
        """The value of every feature that has one."""
        table = self.shuffled if shuffled else self.scores
        return {
            feature: score.value
            for feature, scores in sorted(table.items())
            for score in scores
            if (score.kind, score.negatives) == (kind, negatives)
        }

    def summary(self) -> list[dict[str, Any]]:
        """One record for each kind and negatives: mean over features with a bootstrap interval, chance, baseline."""
        records = []
        for kind in self.config.kinds:
            for negatives in self.config.negatives:
                values = self.values(kind, negatives)
                if not values:
                    continue
                record: dict[str, Any] = {
                    "kind": kind,
                    "negatives": negatives,
                    "active": self.config.active,
                    "judge": self.judge,
                    "features": len(values),
                    **_mean("mean", values, self.config.seed),
                    "chance": chance(kind),
                    "texts": self.config.texts,
                    "seed": self.config.seed,
                }
                other = self.values(kind, negatives, shuffled=True)
                records.append(record | (_mean("shuffled_labels", other, self.config.seed) if other else {}))
        return records


def score_labels(
    examples: Sequence[FeatureExamples],
    labels: Mapping[int, str],
    judge: Judge,
    config: ScoresConfig | None = None,
    report: Report | None = None,
) -> Scored:
    """Score labelled features on the judged side of their examples.

    A budget that is spent ends it: what was answered is kept, and `stopped` says so.

    Raises:
        InputError: no labelled feature has enough texts.
    """
    config = config or ScoresConfig()
    tasks = list(questions(examples, labels, config))
    if not tasks:
        raise InputError(f"scores: no labelled feature has {LEAST_TEXTS} active and as many silent texts to judge")
    judge.prepare({task.label for task in tasks if task.label}, _texts(tasks))
    scored = Scored(judge.name, config)
    try:
        for done, (task, score) in enumerate(
            in_parallel(lambda t: _score(t, judge, config), tasks, config.concurrency)
        ):
            if score is None:
                scored.failed += 1
            else:
                table = scored.shuffled if task.shuffled else scored.scores
                table.setdefault(task.feature, []).append(score)
            if report is not None:
                report(done + 1, len(tasks), f"{scored.failed} without a usable answer" if scored.failed else "")
    except BudgetSpent as spent:
        scored.stopped = str(spent)
    return scored


def questions(examples: Sequence[FeatureExamples], labels: Mapping[int, str], config: ScoresConfig) -> Iterator[Task]:
    """All questions of a scoring, feature by feature in a seeded order: those of more features only come on top."""
    able = [feature for feature in examples if labels.get(feature.feature_id)]
    order = np.random.default_rng(config.seed).permutation(len(able))[: config.features]
    chosen = [able[place] for place in order]
    names = [labels[feature.feature_id] for feature in chosen]
    for place, feature in enumerate(chosen):
        other = next((n for n in names[place + 1 :] + names[:place] if n != names[place]), None)
        for negatives in config.negatives:
            for kind in config.kinds:
                sides = _sides(feature, kind, negatives, config)
                if sides is None:
                    continue
                label = None if kind == "intruder" else names[place]
                yield Task(feature.feature_id, kind, negatives, label, *sides)
                if config.shuffled and other is not None and kind != "intruder":
                    yield Task(feature.feature_id, kind, negatives, other, *sides, shuffled=True)


def chance(kind: str) -> float:
    """What guessing comes to."""
    return 1 / (TOP + 1) if kind == "intruder" else 0.5


def _sides(
    feature: FeatureExamples, kind: str, negatives: Negatives, config: ScoresConfig
) -> tuple[tuple[Any, ...], tuple[Any, ...]] | None:
    silent = feature.judged.random if negatives == "random" else feature.judged.hard
    if kind == "intruder":
        top = feature.judged.top[:TOP]
        if feature.documents < LEAST_DOCUMENTS or len(top) < TOP or not silent:
            return None
        place = int(np.random.default_rng([config.seed, feature.feature_id]).integers(len(silent)))
        return tuple(e.shown for e in top), (silent[place].shown,)
    strongest = config.active == "strongest"
    active = list(feature.judged.top[: config.texts]) if strongest else _over_range(feature.judged.active, config.texts)
    if kind == "detection":
        count = min(len(active), len(silent), config.texts)
        if count < LEAST_TEXTS:
            return None
        return tuple(e.shown for e in active[:count]), tuple(e.shown for e in silent[:count])
    # Fuzz. Hard: both sentences are of one document, so the same text is right or wrong by its mark alone.
    pairs = [(e.shown, e.foil) for e in active if e.foil]
    if negatives == "random":
        pairs = [(e.shown, s.shown) for e, s in zip(active, silent, strict=False)]
    if len(pairs) < LEAST_TEXTS:
        return None
    first = [place % 2 == 0 for place in range(len(pairs))]
    right = tuple(Marked("", a, s) if f else Marked(s, a, "") for f, (a, s) in zip(first, pairs, strict=True))
    wrong = tuple(Marked(a, s, "") if f else Marked("", s, a) for f, (a, s) in zip(first, pairs, strict=True))
    return right, wrong


def _over_range(active: Sequence[Example], count: int) -> list[Example]:
    """`count` examples spread evenly over the activation range, strongest first."""
    by_strength = sorted(active, key=lambda e: (-e.activation, e.id))
    if len(by_strength) <= count:
        return by_strength
    return [by_strength[int(place)] for place in np.linspace(0, len(by_strength) - 1, count).round()]


def _score(task: Task, judge: Judge, config: ScoresConfig) -> Score | None:
    value: float | None
    texts = [*task.right, *task.wrong]
    order = np.random.default_rng([config.seed, task.feature, 1]).permutation(len(texts))
    mixed = [texts[place] for place in order]
    if task.kind == "intruder":
        named = judge.intruder(mixed)
        value = None if named is None else float(order[named] == len(task.right))
        trials = 1
    else:
        assert task.label is not None
        fits = judge.fits(task.label, mixed) if task.kind == "detection" else judge.fits_marked(task.label, mixed)
        value = None if fits is None else told_apart(fits[np.argsort(order)], len(task.right))
        trials = len(texts)
    if value is None:
        return None
    low, high = (round(bound, 4) for bound in wilson(value, trials))
    return Score(
        task.kind,
        task.negatives,
        judge.name,
        round(value, 4),
        low,
        high,
        chance(task.kind),
        len(texts),
        config.seed,
        config.active,
    )


def fit_to_shown(judge: Judge, label: str, feature: FeatureExamples) -> float:
    """How well a label fits the texts that labellers see, to choose between candidates; 0 without an answer."""
    active = [example.shown for example in _over_range(feature.shown.active, 10)]
    silent = [example.shown for example in (*feature.shown.hard[:5], *feature.shown.random[:5])]
    fits = judge.fits(label, [*active, *silent])
    return 0.0 if fits is None or not silent else told_apart(fits, len(active))


def told_apart(fits: Float64, right: int) -> float:
    """Share of (right, wrong) pairs in the right order, ties half; the first `right` are right."""
    a, b = fits[:right, None], fits[None, right:]
    return float(((a > b) + 0.5 * (a == b)).mean())


def _texts(tasks: Sequence[Task]) -> set[str]:
    return {text.marked if isinstance(text, Marked) else text for task in tasks for text in (*task.right, *task.wrong)}


def _mean(name: str, values: Mapping[int, float], seed: int) -> dict[str, Any]:
    mean, low, high = bootstrap(np.array(list(values.values())), seed=seed)
    return {name: round(mean, 4), f"{name}_ci": [round(low, 4), round(high, 4)]}
