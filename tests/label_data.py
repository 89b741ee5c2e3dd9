"""A made-up corpus whose features are known: subject j is direction j, and every text says what it is about."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from xetrieval.arrays import l2norm
from xetrieval.data.passages import Passage
from xetrieval.explain import Explainer
from xetrieval.labels.examples import Block, ExamplesConfig, FeatureExamples, gather
from xetrieval.sae import SparseAutoencoder

SUBJECTS = ("tea", "kidney", "football", "weather", "music", "rivers", "bridges", "chess")
CONFIG = ExamplesConfig(top=10, spread=5, contrast=6)


def subject_sae(k: int = 2) -> SparseAutoencoder:
    """Feature j is active on subject j."""
    eye = np.eye(len(SUBJECTS), 12, dtype=np.float32)
    return SparseAutoencoder(eye, np.zeros(8, np.float32), eye.T.copy(), np.zeros(12, np.float32), k)


def passages(documents: int = 240, seed: int = 0) -> list[tuple[Passage, np.ndarray]]:
    """Documents of one subject each, with a sentence that carries it and one about another subject."""
    rng = np.random.default_rng(seed)
    out = []
    for number in range(documents):
        subject = number % len(SUBJECTS)
        other = (subject + 1 + int(rng.integers(6))) % len(SUBJECTS)
        strength = 0.3 + 0.7 * rng.random()
        name = f"d{number}"
        letters = chr(97 + number % 26) + chr(97 + number // 26)
        carrying = f"The {SUBJECTS[subject]} of place {letters} is {SUBJECTS[subject]} alone."
        aside = f"Nobody there minds {SUBJECTS[other]} in season {letters}."
        out.append((Passage(name, f"{carrying} {aside}", name, True), _vector({subject: strength, other: 0.1}, rng)))
        out.append((Passage(f"{name}#0", carrying, name, False), _vector({subject: strength}, rng)))
        out.append((Passage(f"{name}#1", aside, name, False), _vector({other: 0.2}, rng)))
    return out


def _vector(strengths: dict[int, float], rng: np.random.Generator) -> np.ndarray:
    vector = np.zeros(12, np.float32)
    for subject, strength in strengths.items():
        vector[subject] = strength
    vector[8:] = rng.normal(0, 0.3, 4)
    return np.asarray(l2norm(vector[None])[0])


def blocks(size: int = 90, documents: int = 240) -> Callable[[], Iterator[Block]]:
    """The corpus in blocks of `size` passages (a multiple of three keeps documents whole)."""
    rows = passages(documents)

    def stream() -> Iterator[Block]:
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            yield Block([p for p, _ in part], np.stack([v for _, v in part]))

    return stream


def subject_examples() -> list[FeatureExamples]:
    """Examples of all eight features."""
    return gather(subject_sae(), blocks(), CONFIG).features


def subject_explainer(explainer: Explainer) -> Explainer:
    """A toy explainer with the subjects' autoencoder and no internalizers."""
    identity = replace(explainer.encoder_identity, dimension=12)
    return replace(
        explainer, sae=subject_sae(), internalizers={}, features=explainer.features[:8], encoder_identity=identity
    )


def read_history(folder: Path) -> list[dict[str, Any]]:
    """Every label that a folder's features were given or offered, oldest first."""
    path = folder / "history.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
