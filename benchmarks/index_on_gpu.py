"""An index of vectors whose dictionary is learned on a GPU, and on the processors beside it
-> benchmarks/index_on_gpu-CARD.json

    python benchmarks/index_on_gpu.py --work DIR [--rows 100000]

The vectors have 384 dimensions and are mixtures of a few of many directions. A text names the eight largest dimensions
of its vector. No encoder is needed; where MiniLM is installed, it also encodes terms for labels, which takes longer. A
small index is built first on each device, because loops and kernels are compiled when first used. Both dictionaries
have the same seed: the figures on their cards and the hits of ten queries say how much the device changes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sae_arms import Shape, vectors

import xetrieval
from xetrieval.index import BuildConfig, Corpus, build_index, open_index

STAGES = {"index": "code", "name": "measure", "learn": "learn"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--devices", nargs="+", default=["cuda", "cpu"])
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    x = vectors(Shape(384, 0, 0, 0), given.rows)
    facts: dict[str, Any] = {"card": card, "cores": os.cpu_count(), "torch": torch.__version__, "rows": len(x)}
    facts["warm_up_seconds"] = {}
    for device in given.devices:
        started = time.perf_counter()
        build(x[:2000], device, given.work)
        facts["warm_up_seconds"][device] = round(time.perf_counter() - started, 2)
    output = given.output or Path(__file__).with_name(f"index_on_gpu-{'-'.join(card.lower().split())}.json")
    facts["records"] = []
    for device in given.devices:
        facts["records"].append(build(x, device, given.work))
        output.write_text(json.dumps(facts, indent=1) + "\n")
    print(json.dumps(facts, indent=1))


def build(x: np.ndarray, device: str, work: Path) -> dict[str, Any]:
    """Seconds of the stages, the card of the dictionary, and what it finds."""
    np.save(work / "vectors.npy", x)
    largest = np.argpartition(-x, 8, axis=1)[:, :8].tolist()
    lines = (
        json.dumps({"_id": str(row), "text": " ".join(f"word{one}" for one in ids)}) for row, ids in enumerate(largest)
    )
    (work / "texts.jsonl").write_text("\n".join(lines) + "\n")
    folder = work / f"index-{device}"
    shutil.rmtree(folder, ignore_errors=True)
    begun: dict[str, float] = {}

    def progress(stage: str, _done: int, _total: int, _note: str) -> None:
        begun.setdefault(stage, time.perf_counter())

    corpus = Corpus((work / "texts.jsonl",), vectors=work / "vectors.npy")
    started = time.perf_counter()
    build_index(
        corpus, xetrieval.load("minilm"), folder, BuildConfig(dictionary="corpus", device=device, force=True), progress
    )
    ended = time.perf_counter()
    index = open_index(folder)
    learned = index.explainer
    queries = x[:: len(x) // 10][:10] + 0.02 * np.random.default_rng(0).standard_normal((10, x.shape[1]))
    queries = (queries / np.linalg.norm(queries, axis=1, keepdims=True)).astype(np.float32)
    found = [index.search(query, k=10, by="sparse") for query in queries]
    nearest = [index.search(query, k=1)[0].explanation for query in queries]
    stages = {name: begun[key] for key, name in reversed(STAGES.items())}
    ends = [*list(stages.values())[1:], ended]
    return {
        "device": device,
        "seconds": round(ended - started, 2),
        "stages": {
            "read and check": round(begun["learn"] - started, 2),
            **{name: round(end - begin, 2) for (name, begin), end in zip(stages.items(), ends, strict=True)},
        },
        "documents_per_second": round(len(x) / (ended - started)),
        "features": learned.sae.features,
        "metrics": learned.metrics,
        "hits": [[hit.doc_id for hit in hits] for hits in found],
        "explained": [round(sum(term.share for term in one.terms) / one.score, 4) for one in nearest],
        "largest_gap_of_sums": max(
            abs(one.bias + one.remainder + sum(term.share for term in one.terms) - one.score) for one in nearest
        ),
    }


if __name__ == "__main__":
    main()
