"""How should a CPU's threads read texts? -> encoding_threads.json

MiniLM reads sentences, whole entries and single queries of this Python's own documentation, batches of 8, under four
settings, each in its own process: PyTorch's default (all threads share each product), the same with passive waiting
(OMP_WAIT_POLICY=PASSIVE, GOMP_SPINCOUNT=0), one thread, and one thread a batch with several batches at once (what the
library does). Rounds of all four in turn, on a quiet machine and beside as many busy loops as there are cores; medians.

    python benchmarks/encoding_threads.py [ROUNDS]
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ARMS = ("default", "passive", "one thread", "thread a batch")
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
SENTENCES, ENTRIES, QUERIES, BATCH = 240, 48, 20, 8


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    load_before = os.getloadavg()[0]
    records = []
    for machine, loops in (("quiet", 0), ("busy", os.cpu_count() or 1)):
        with busy(loops):
            found: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
            for _ in range(rounds):
                for arm in ARMS:
                    found[arm].append(in_its_own_process(arm))
        for arm in ARMS:
            median = {key: round(statistics.median(one[key] for one in found[arm]), 1) for key in found[arm][0]}
            records.append({"machine": machine, "setting": arm, **median, "rounds": found[arm]})
            print(machine, arm, median)
    facts = {
        "protocol": __doc__,
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "load_before": round(load_before, 2),
        "records": records,
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n")


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """Run this many busy loops."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def in_its_own_process(arm: str) -> dict[str, float]:
    environment = {**os.environ, **(PASSIVE if arm == "passive" else {}), "XETRIEVAL_MEASURED": arm}
    done = subprocess.run([sys.executable, __file__], env=environment, check=True, capture_output=True, text=True)
    record: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return record


def measure(arm: str) -> dict[str, float]:
    """Texts a second of sentences and entries; milliseconds of one query."""
    import torch

    from xetrieval.data import split_sentences
    from xetrieval.data.python_docs import python_docs
    from xetrieval.encoders.minilm import minilm

    entries = sorted((document.text for document in python_docs()), key=len, reverse=True)[:ENTRIES]
    sentences = [sentence.text for text in entries for sentence in split_sentences(text)][:SENTENCES]
    encoder = minilm()
    model = encoder._model
    if arm == "one thread":
        torch.set_num_threads(1)

    def read(texts: list[str]) -> Any:
        if arm == "thread a batch":
            return encoder.encode_document(texts)
        return model.encode(texts, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)

    read(sentences[:16])  # warm
    record = {}
    for kind, texts in (("sentences_per_s", sentences), ("entries_per_s", entries)):
        start = time.perf_counter()
        read(texts)
        record[kind] = len(texts) / (time.perf_counter() - start)
    times = []
    for query in sentences[:QUERIES]:
        start = time.perf_counter()
        read([query])
        times.append(time.perf_counter() - start)
    return {**record, "query_ms": 1000 * statistics.median(times)}


if __name__ == "__main__":
    if "XETRIEVAL_MEASURED" in os.environ:
        print(json.dumps(measure(os.environ["XETRIEVAL_MEASURED"])))
    else:
        main()
