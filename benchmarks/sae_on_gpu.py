"""Training at the paper's size beside other libraries on one card -> benchmarks/sae_on_gpu-CARD.json

    pip install -c constraints.txt -e ".[dev,parity]"
    python benchmarks/sae_on_gpu.py

m = 1,024, F = 8,192, k = 256. All start from the same weights, read the same batches with the same learning rate, and
run in turns of ten steps; medians of the turns, after one that is not timed. Each precision is PyTorch's own setting,
the same for all: float32; TensorFloat-32 for matrix products; or bfloat16, by autocast for the others (sparsify's
forward pass always has it on a GPU, except in our arm for float32) and for us as candidates that are scored again in
float32. The gap is the largest relative difference from the loss of dictionary_learning in float32 before a step.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from sae_arms import Arm, Shape, dictionary_learning, ours, sparsify, vectors

BATCHES = (1024, 4096, 16384)
TURNS, STEPS = 5, 10
PRECISIONS = {"float32": "highest", "tf32": "high", "bfloat16": "high"}  # PyTorch's name for that of its products
REFERENCE = "dictionary_learning float32"


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
    result = {"card": card, "torch": torch.__version__, "turns": TURNS, "steps_a_turn": STEPS, "records": []}
    output = given.output or Path(__file__).with_name(f"sae_on_gpu-{name}.json")
    for batch in given.batches:
        result["records"] += compare(Shape(*given.shape, batch), given.device)
        output.write_text(json.dumps(result, indent=1) + "\n")
    Console().print(result)


def arms(shape: Shape, x: np.ndarray, device: str) -> dict[str, Arm]:
    """By library and precision."""
    make: dict[str, Callable[[str], Arm]] = {
        "ours": lambda kind: ours(shape, x, "topk", "bfloat16" if kind == "bfloat16" else "float32", device),
        "dictionary_learning": lambda _: dictionary_learning(shape, x, device=device),
        "sparsify": lambda kind: sparsify(shape, x, device=device, own_precision=kind != "float32"),
    }
    return {
        f"{library} {kind}": Arm(partial(step, made(kind).step, kind, device, cast=library != "ours"))
        for kind in PRECISIONS
        for library, made in make.items()
        if (library, kind) != ("sparsify", "tf32")  # its products are in bfloat16
    }


def step(take: Callable[[Any], float], kind: str, device: str, rows: Any, *, cast: bool) -> float:
    """One step in a precision; the loss before it."""
    torch.set_float32_matmul_precision(PRECISIONS[kind])
    with torch.autocast(device, torch.bfloat16) if cast and kind == "bfloat16" else nullcontext():
        return take(rows)


def compare(shape: Shape, device: str) -> list[dict[str, Any]]:
    """Rows per second of each arm, the memory of a step, and the difference of the losses."""
    x = vectors(shape, 2 * shape.batch)
    rows = torch.from_numpy(x).to(device)
    tried = arms(shape, x, device)
    order = np.random.default_rng(1).integers(len(x), size=((TURNS + 1) * STEPS, shape.batch))
    took: dict[str, list[float]] = {name: [] for name in tried}
    loss: dict[str, list[float]] = {name: [] for name in tried}
    peak: dict[str, float] = {}
    for turn in range(TURNS + 1):
        for name, arm in tried.items():
            batches = [rows[torch.from_numpy(order[turn * STEPS + step]).to(device)] for step in range(STEPS)]
            before = memory(device)
            started = time.perf_counter()
            loss[name] += [arm.step(batch) for batch in batches]
            peak[name] = (memory(device, peak=True) - before) / 2**20
            if turn:
                took[name].append((time.perf_counter() - started) / STEPS)
    base = statistics.median(took[REFERENCE])
    return [
        {
            "batch": shape.batch,
            "arm": name,
            "rows_per_second": round(shape.batch / statistics.median(times)),
            "ms_a_step": [round(1000 * one, 2) for one in sorted(times)],
            "times_as_fast": round(base / statistics.median(times), 2),
            "peak_mib": round(peak[name]),
            "largest_gap_of_loss": max(abs(a / b - 1) for a, b in zip(loss[name], loss[REFERENCE], strict=True)),
        }
        for name, times in took.items()
    ]


def memory(device: str, *, peak: bool = False) -> float:
    """Bytes in use on the GPU, or the most since this was last called, when it is done with its work."""
    if device != "cuda":
        return 0.0
    torch.cuda.synchronize()
    if peak:
        return float(torch.cuda.max_memory_allocated())
    torch.cuda.reset_peak_memory_stats()
    return float(torch.cuda.memory_allocated())


if __name__ == "__main__":
    main()
