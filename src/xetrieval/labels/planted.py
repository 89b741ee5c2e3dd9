"""Cases whose answers are known: what is a judge worth, before it judges labels?

Sixteen subjects with six sentences each, written for this purpose, in pairs that lie close together; no sentence holds
the words of its label. Everything goes through the code that scores labels.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from ..features import Negatives
from ..intervals import wilson
from .examples import Example, FeatureExamples, Texts
from .judges import Judge
from .scores import LEAST_DOCUMENTS, NEGATIVES, ScoresConfig, chance, score_labels

FILE: Final = Path(__file__).resolve().parent / "planted.jsonl"


def planted() -> tuple[list[FeatureExamples], dict[int, str]]:
    """The cases as features, and their labels. Hard contrasts are the sentences of the near subject."""
    subjects = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    texts = {subject["label"]: subject["texts"] for subject in subjects}
    features = []
    for place, subject in enumerate(subjects):
        others = [s["label"] for s in subjects if s["label"] not in (subject["label"], subject["near"])]
        far = [texts[others[(place + step) % len(others)]][step % 6] for step in range(6)]
        active, near = subject["texts"], texts[subject["near"]]
        nothing = Texts((), (), (), ())
        judged = Texts(
            top=tuple(_example(text, 1.0, foil) for text, foil in zip(active, near, strict=True)),
            spread=(),
            random=tuple(_example(text) for text in far),
            hard=tuple(_example(text) for text in near),
        )
        features.append(FeatureExamples(place, LEAST_DOCUMENTS, 0.0, (), nothing, judged, ()))
    return features, {place: subject["label"] for place, subject in enumerate(subjects)}


def judge_planted(
    judge: Judge,
    concurrency: int = 1,
    seed: int = 0,
    kinds: tuple[str, ...] = ("detection", "fuzz"),
    negatives: tuple[Negatives, ...] = NEGATIVES,
) -> list[dict[str, Any]]:
    """A judge's own accuracy, for each of `kinds` and `negatives`.

    Records are {kind, negatives, value, ci, chance, texts, unanswered}.

    The interval is Wilson's, over all sentences judged.
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
                    "value": None if value is None else round(value, 4),  # no usable answer at all
                    "ci": [round(low, 4), round(high, 4)],
                    "chance": chance(kind),
                    "texts": texts,
                    "unanswered": len(features) - len(values),
                }
            )
    return records


def _example(text: str, activation: float = 0.0, foil: str | None = None) -> Example:
    return Example(text, text, text, activation, None, foil)
