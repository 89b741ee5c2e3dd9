"""Tests a judge on cases with known answers before it judges labels.

Sixteen subjects with six sentences each, written for this purpose, in pairs of similar subjects; no sentence contains
the words of its label. They are scored by the same code as labels.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, NamedTuple

from ..configs.labels import NEGATIVES, Negatives, ScoresConfig
from ..intervals import wilson
from .examples import Example, FeatureExamples, Side
from .judges import Judge
from .scores import SCORES, score_labels

FILE: Final = Path(__file__).resolve().parent / "planted.jsonl"
WITH_LABEL: Final = tuple(name for name, score in SCORES.items() if score.needs_label)


class PlantedScore(NamedTuple):
    """The accuracy of a judge on cases with known answers."""

    judge: str
    kind: str
    negatives: Negatives
    value: float | None  # None: there was no usable answer
    ci: tuple[float, float]  # Wilson interval over all judged sentences
    chance: float
    texts: int
    unanswered: int  # questions


def planted() -> tuple[list[FeatureExamples], dict[int, str]]:
    """The cases as features, with their labels. Hard negatives are sentences of the similar subject."""
    subjects = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    texts = {subject["label"]: subject["texts"] for subject in subjects}
    features = []
    for i, subject in enumerate(subjects):
        others = [s["label"] for s in subjects if s["label"] not in (subject["label"], subject["near"])]
        far = [texts[others[(i + step) % len(others)]][step % 6] for step in range(6)]
        active, near = subject["texts"], texts[subject["near"]]
        judging = Side(
            top=tuple(_example(text, 1.0, foil) for text, foil in zip(active, near, strict=True)),
            spread=(),
            random=tuple(_example(text) for text in far),
            hard=tuple(_example(text) for text in near),
        )
        nothing = Side((), (), (), ())
        features.append(FeatureExamples(i, len(active), 0.0, (), labelling=nothing, judging=judging, coactive=()))
    return features, {i: subject["label"] for i, subject in enumerate(subjects)}


def judge_planted(
    judge: Judge,
    concurrency: int = 1,
    kinds: tuple[str, ...] = WITH_LABEL,
    negatives: tuple[Negatives, ...] = NEGATIVES,
) -> list[PlantedScore]:
    """A judge's accuracy for each of `kinds` with each of `negatives`."""
    features, labels = planted()
    config = ScoresConfig(kinds, negatives, shuffled=False, concurrency=concurrency)
    found = score_labels(features, labels, judge, config).scores.values()
    scores = []
    for kind in kinds:
        for silent in negatives:
            values = [s for scores in found for s in scores if (s.kind, s.negatives) == (kind, silent)]
            texts = sum(score.texts for score in values)
            value = sum(score.value * score.texts for score in values) / texts if texts else None
            low, high = (round(bound, 4) for bound in wilson(value or 0.0, texts))
            value = None if value is None else round(value, 4)
            unanswered = len(features) - len(values)
            scores.append(
                PlantedScore(judge.name, kind, silent, value, (low, high), SCORES[kind].chance, texts, unanswered)
            )
    return scores


def _example(text: str, activation: float = 0.0, foil: str | None = None) -> Example:
    return Example(text, text, text, activation, foil=foil)
