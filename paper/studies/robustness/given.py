"""What the attempts start from: a small made-up explainer, a corpus and its index, none of which loads a model."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import numpy as np

from xetrieval.arrays import l2norm
from xetrieval.encoders import HashingEncoder
from xetrieval.explain import Explainer
from xetrieval.features import Feature
from xetrieval.index import BuildConfig, Corpus, build_index, open_index
from xetrieval.internalizer import Internalizer
from xetrieval.sae import SparseAutoencoder
from xetrieval.views import ASPECTS

CUT = BuildConfig(shard_rows=64, block=16)
QUERY = "word1 word2 word3"


def explainer(features: int = 128, m: int = 64) -> Explainer:
    """Random weights, the hashing encoder."""
    rng = np.random.default_rng(0)
    directions = l2norm(rng.standard_normal((features, m))).astype(np.float32)
    sae = SparseAutoencoder(
        directions, np.zeros(features, np.float32), np.ascontiguousarray(directions.T), np.zeros(m, np.float32), 16
    )
    nets = {
        aspect: Internalizer(
            rng.normal(0, 0.3, (32, m)).astype(np.float32),
            np.zeros(32, np.float32),
            rng.normal(0, 0.1, (m, 32)).astype(np.float32),
            np.zeros(m, np.float32),
        )
        for aspect in ASPECTS
    }
    names = tuple(Feature(j, f"name {j}", "keyphrase", 0.1) for j in range(features))
    return Explainer("toy", HashingEncoder(m).identity, sae, nets, names, cache=False)


def corpus(path: Path, count: int, prefix: str = "d", seed: int = 0) -> Path:
    """Write `count` short documents with metadata."""
    rng = random.Random(seed)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            text = " ".join(rng.choices([f"word{n}" for n in range(120)], k=rng.randint(5, 25)))
            record = {"_id": f"{prefix}{number}", "title": f"Title {number}", "text": text}
            file.write(json.dumps({**record, "metadata": {"site": "ab"[number % 2], "n": number}}) + "\n")
    return path


def in_child(do: object) -> None:
    """Do work that starts threads in a child process: the process that forks the attempts must have none."""
    child = os.fork()
    if child == 0:
        do()  # type: ignore[operator]
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        raise SystemExit("what the tries start from could not be made")


def index(home: Path, count: int = 100, *, fast: bool = False) -> Path:
    """An index, with everything that makes it faster if `fast`."""

    def make() -> None:
        build_index(Corpus((corpus(home / "corpus.jsonl", count),)), explainer(), home / "index", CUT)
        if fast:
            from xetrieval.index.search.nearest import accelerate

            opened = open_index(home / "index")
            accelerate(opened, "quantised")
            accelerate(opened, "faiss")
            opened.search(QUERY, by="bm25")

    in_child(make)
    return home / "index"
