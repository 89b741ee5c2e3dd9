"""Training at the paper's size beside dictionary_learning on one card -> benchmarks/sae_on_gpu-CARD.json

    pip install -c constraints.txt -e ".[dev,parity]"
    python benchmarks/sae_on_gpu.py

m = 1,024, F = 8,192, k = 256. Both start from the same weights, read the same batches with the same learning rate, and
run in turns of ten steps; medians of the turns, after one that is not timed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from sae_arms import Arm, Shape, dictionary_learning, ours, vectors

BATCHES = (1024, 4096, 16384)
TURNS, STEPS = 7, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--shape", type=int, nargs=3, default=(1024, 8192, 256), metavar=("M", "F", "K"))
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        parser.error("no GPU here; --device cpu tries the benchmark itself")
    card = torch.cuda.get_device_name() if given.device == "cuda" else "cpu"
    name = "-".join(card.lower().split())
    records = [compare(Shape(*given.shape, batch), given.device) for batch in given.batches]
    result = {"card": card, "torch": torch.__version__, "turns": TURNS, "steps_a_turn": STEPS, "records": records}
    output = given.output or Path(__file__).with_name(f"sae_on_gpu-{name}.json")
    output.write_text(json.dumps(result, indent=1) + "\n")
    Console().print(result)


def compare(shape: Shape, device: str) -> dict[str, Any]:
    """Rows per second of both, and the difference of their losses."""
    x = vectors(shape, 2 * shape.batch)
    rows = torch.from_numpy(x).to(device)
    arms: dict[str, Arm] = {
        "ours": ours(shape, x, device=device),
        "dictionary_learning": dictionary_learning(shape, x, device=device),
    }
    order = np.random.default_rng(1).integers(len(x), size=((TURNS + 1) * STEPS, shape.batch))
    took: dict[str, list[float]] = {name: [] for name in arms}
    loss: dict[str, list[float]] = {name: [] for name in arms}
    for turn in range(TURNS + 1):
        for name, arm in arms.items():
            batches = [rows[torch.from_numpy(order[turn * STEPS + step]).to(device)] for step in range(STEPS)]
            wait(device)
            started = time.perf_counter()
            loss[name] += [arm.step(batch) for batch in batches]
            wait(device)
            if turn:
                took[name].append((time.perf_counter() - started) / STEPS)
    rate = {name: shape.batch / statistics.median(times) for name, times in took.items()}
    gap = max(abs(a / b - 1) for a, b in zip(*loss.values(), strict=True))
    times_as_fast = rate["ours"] / rate["dictionary_learning"]
    return {**shape._asdict(), "rows_per_second": rate, "times_as_fast": times_as_fast, "largest_gap_of_loss": gap}


def wait(device: str) -> None:
    """Wait for the GPU to finish."""
    if device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
