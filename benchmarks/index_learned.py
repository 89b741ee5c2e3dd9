"""What `index build` costs when it learns its features, with vectors that exist and texts -> index_learned.json

    XETRIEVAL_DATA=DIR python -m benchmarks.index_learned --encoded DIR --work DIR [--rows 1000 100000 1000000]

--encoded has the vectors of passages of commons that `paper.studies.general_dictionary encode` makes. More rows than
these are made of the same passages again: their vectors with noise (of norm 0.3), their texts with a few words moved
and one word of another passage put in. So the cost is that of a large corpus, but its content is not: nothing about the
quality of the features or labels is measured here. Labels are included, sentences are not (documents that come with
vectors have none).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import xetrieval
from paper.studies.general_dictionary import encoded, passages
from xetrieval.index import BuildConfig, Corpus, build_index
from xetrieval.index.build.verify import folder_bytes

RESULT = Path(__file__).with_suffix(".json")
BLOCK = 1 << 15
NOISE = 0.3
MOVED = 4  # words of a copy that are put elsewhere
STAGES = ("encode", "sentences", "name", "index")  # as the build reports them; before the first, it reads and checks
STAGE_NAMES = ("read and check", "copy", "learn", "label and measure", "code")


class Times(NamedTuple):
    """Seconds on the clock, and of all processors."""

    wall: float
    cpu: float


def now() -> Times:
    """The present times."""
    return Times(time.perf_counter(), time.process_time())


def main() -> None:
    """Make each corpus, build its index in a process of its own, and add the figures to the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", nargs="?", choices=("all", "build"), default="all")
    parser.add_argument("--encoded", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rows", type=int, nargs="*", default=(1_000, 100_000, 1_000_000))
    given = parser.parse_args()
    if given.task == "build":
        print(json.dumps(build(given.work)))
        return
    for rows in given.rows:
        given.work.mkdir(parents=True, exist_ok=True)
        real = make_corpus(given.encoded, given.work, rows)
        shutil.rmtree(given.work / "index", ignore_errors=True)
        known: list[Any] = json.loads(RESULT.read_text()) if RESULT.is_file() else []
        record = {"rows": rows, "real": min(rows, real), "rest": "the same passages, changed a little"}
        record |= {"machine": f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}"}
        record |= in_own_process(given)
        print(json.dumps(record, indent=1), flush=True)
        known = sorted([*(one for one in known if one["rows"] != rows), record], key=lambda one: one["rows"])
        RESULT.write_text(json.dumps(known, indent=1) + "\n")


def in_own_process(given: argparse.Namespace) -> dict[str, Any]:
    """The figures of one build."""
    itself = [sys.executable, "-m", "benchmarks.index_learned"]
    command = [*itself, "build", "--encoded", str(given.encoded), "--work", str(given.work)]
    environment = {**os.environ, "OPENBLAS_THREAD_TIMEOUT": "10"}  # as the command line sets it
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(done.stderr)
    out: dict[str, Any] = json.loads(done.stdout)
    return out


def make_corpus(source: Path, work: Path, rows: int) -> int:
    """Write corpus.jsonl and vectors.npy, if they are not there; returns the number of passages that are real."""
    _, vectors = encoded(source)
    texts = [text for _, text in passages()[: len(vectors)]]
    made = work / "made.json"
    if made.is_file() and json.loads(made.read_text()) == rows:
        return len(texts)
    out = np.lib.format.open_memmap(work / "vectors.npy", "w+", np.float32, (rows, vectors.shape[1]))
    rng = np.random.default_rng(0)
    with (work / "corpus.jsonl").open("w") as lines:
        for start in range(0, rows, BLOCK):
            at = np.arange(start, min(start + BLOCK, rows))
            block = np.array(vectors[at % len(vectors)], np.float32)
            copies = at >= len(vectors)
            noise = rng.standard_normal(block.shape, np.float32)
            block[copies] += NOISE * (noise / np.linalg.norm(noise, axis=1, keepdims=True))[copies]
            out[at] = block / np.linalg.norm(block, axis=1, keepdims=True)
            for row in at.tolist():
                text = texts[row % len(texts)]
                text = changed(text, texts[(row * 7 + 1) % len(texts)], rng) if row >= len(texts) else text
                lines.write(json.dumps({"_id": str(row), "text": text}) + "\n")
    out.flush()
    made.write_text(json.dumps(rows))
    return len(texts)


def changed(text: str, other: str, rng: np.random.Generator) -> str:
    """The text with some words put elsewhere and one word of another text."""
    words, others = text.split(" "), other.split(" ")
    for _ in range(MOVED):
        word = words.pop(int(rng.integers(len(words))))
        words.insert(int(rng.integers(len(words) + 1)), word)
    words.insert(int(rng.integers(len(words) + 1)), others[int(rng.integers(len(others)))])
    return " ".join(words)


def build(work: Path) -> dict[str, Any]:
    """Build the index; seconds of each stage, memory, size."""
    begun: dict[str, Times] = {}

    def progress(stage: str, _done: int, _total: int, _note: str) -> None:
        begun.setdefault(stage, now())

    explainer = xetrieval.load("minilm")
    corpus = Corpus((work / "corpus.jsonl",), vectors=work / "vectors.npy")
    busy = os.getloadavg()[0]
    started = now()
    built = build_index(corpus, explainer, work / "index", BuildConfig(dictionary="corpus"), progress)
    ended = now()
    begins = [started, *(begun[stage] for stage in STAGES)]
    stages = {
        name: {"seconds": round(end.wall - start.wall, 1), "cpu_seconds": round(end.cpu - start.cpu, 1)}
        for name, start, end in zip(STAGE_NAMES, begins, [*begins[1:], ended], strict=True)
    }
    own = xetrieval.load(work / "index" / "explainer")
    size = folder_bytes(work / "index")
    return {
        "seconds": round(ended.wall - started.wall, 1),
        "cpu_seconds": round(ended.cpu - started.cpu, 1),
        "load": round(float(np.mean([busy, os.getloadavg()[0]])), 1),
        "stages": stages,
        "documents_per_cpu_second": round(built.documents / (ended.cpu - started.cpu)),
        "features": own.sae.features,
        "labelled": sum(feature.label is not None for feature in own.features),
        "bytes_per_document": round(size / built.documents),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


if __name__ == "__main__":
    main()
