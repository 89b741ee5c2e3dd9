"""Encode everything once: the training texts of two corpora and the sets of every encoder.

apart.npy   documents and sentences of the training corpus, without the documents of any set that we measure on
with.npy    the same number of rows, half of them documents of those sets
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paper.setting import Setting
from xetrieval.fitting.texts import training_texts


def run(setting: Setting) -> None:
    """Write vectors of the main encoder in half precision; those of the other encoders go to the cache."""
    setting.made.mkdir(parents=True, exist_ok=True)
    main = setting.encoder(setting.config["main"])
    texts = apart(setting)
    vectors = main.encode_document(texts)
    write(setting.made / "apart.npy", vectors)
    evaluated = np.concatenate([vectors.documents for _, vectors in setting.sets(setting.config["main"])])
    rng = np.random.default_rng(setting.config["seed"])
    half = min(len(evaluated), len(vectors) // 2)
    rows = rng.permutation(len(vectors))[: len(vectors) - half]
    write(setting.made / "with.npy", np.concatenate([vectors[rows], evaluated[rng.permutation(len(evaluated))[:half]]]))
    for name in setting.config["encoders"]:
        for _ in setting.sets(name):  # fills the cache
            pass


def apart(setting: Setting) -> list[str]:
    """The texts of apart.npy in its order: shuffled, because neighbours in a corpus come from the same source."""
    facts = setting.config["corpus"]
    texts = training_texts(setting.corpus(facts["sources"]), facts["sentences"])
    rng = np.random.default_rng(setting.config["seed"])
    room = max(0, facts["rows"] - texts.documents)
    sentences = texts.documents + rng.permutation(len(texts.texts) - texts.documents)[:room]
    rows = np.concatenate([np.arange(min(texts.documents, facts["rows"])), sentences])
    return [texts.texts[row] for row in rng.permutation(rows)]


def write(path: Path, vectors: np.ndarray) -> None:  # type: ignore[type-arg]
    """Write vectors in half precision, atomically."""
    partial = path.with_suffix(".partial.npy")
    np.save(partial, vectors.astype(np.float16))
    partial.rename(path)
