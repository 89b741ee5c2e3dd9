"""How good is a judge? Cases with known answers, to try before it judges labels.

Sixteen subjects with six sentences each, written for this purpose, in pairs of similar subjects; no sentence contains
the words of its label. They are scored by the same code as labels.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from ..features import Negatives
from ..intervals import wilson
from .examples import Example, FeatureExamples, Side
from .judges import Judge
from .scores import NEGATIVES, SCORES, ScoresConfig, score_labels

FILE: Final = Path(__file__).resolve().parent / "planted.jsonl"
WITH_LABEL: Final = tuple(name for name, score in SCORES.items() if score.needs_label)


def planted() -> tuple[list[FeatureExamples], dict[int, str]]:
    """The cases as features, and their labels. Hard negatives are the sentences of the similar subject."""
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
    seed: int = 0,
    kinds: tuple[str, ...] = WITH_LABEL,
    negatives: tuple[Negatives, ...] = NEGATIVES,
) -> list[dict[str, Any]]:
    """A judge's accuracy, for each of `kinds` and `negatives`, with Wilson's interval over all sentences judged.

    Records are {judge, kind, negatives, value, ci, chance, texts, unanswered}.
    """
    features, labels = planted()
    config = ScoresConfig(kinds, negatives, shuffled=False, concurrency=concurrency, seed=seed)
    scored = score_labels(features, labels, judge, config)
    records = []
    for kind in config.kinds:
        for silent in config.negatives:
            values = [s for scores in scored.scores.values() for s in scores if (s.kind, s.negatives) == (kind, silent)]
            texts = sum(score.texts for score in values)
            value = sum(score.value * score.texts for score in values) / texts if texts else None
            low, high = wilson(value or 0.0, texts)
            records.append(
                {
                    "judge": judge.name,
                    "kind": kind,
                    "negatives": silent,
                    "value": None if value is None else round(value, 4),  # None: no usable answer at all
                    "ci": [round(low, 4), round(high, 4)],
                    "chance": SCORES[kind].chance,
                    "texts": texts,
                    "unanswered": len(features) - len(values),
                }
            )
    return records


def _example(text: str, activation: float = 0.0, foil: str | None = None) -> Example:
    return Example(text, text, text, activation, foil=foil)
