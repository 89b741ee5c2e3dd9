"""Training and encoding, side by side with dictionary_learning, sparsify and SAELens -> benchmarks/sae_training.json

    pip install -c constraints.txt -e ".[dev,parity]"
    python benchmarks/sae_training.py

All arms start from the same weights, read the same batches with the same learning rate, and run interleaved in one
process, a few steps each in turn; medians of the turns, in seconds on the clock and of the processors. Peak memory is
that of a process of its own for each arm, less what it had before the first step. Curves of the loss are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from sae_arms import Arm, Shape, arms, vectors

SHAPES = (Shape(384, 3072, 64, 4096), Shape(1024, 8192, 256, 1024))
PEER = "dictionary_learning topk"
CONSOLE = Console(width=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--steps", type=int, default=3, help="of each arm in a turn")
    parser.add_argument("--without", nargs="*", default=[], help="arms to leave out")
    parser.add_argument("--memory", nargs=2, metavar=("SHAPE", "ARM"), help="measure one arm's peak and print it")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    given = parser.parse_args()
    if given.memory:
        print(peak(SHAPES[int(given.memory[0])], given.memory[1]))
        return
    records = []
    for place, shape in enumerate(SHAPES):
        record = compare(shape, place, given)
        records.append(record)
        show(record)
        given.output.write_text(json.dumps({"hardware": hardware(), "settings": records}, indent=1) + "\n")


def compare(shape: Shape, place: int, given: argparse.Namespace) -> dict[str, Any]:
    chosen = [name for name in arms() if name not in given.without]
    x = vectors(shape, max(20_000, 3 * shape.batch))
    tensor = torch.from_numpy(x)
    made: dict[str, Arm] = {name: arms()[name](shape, x) for name in chosen}
    order = np.random.default_rng(1).integers(len(x), size=(given.turns * given.steps + 2, shape.batch))
    times: dict[str, dict[str, list[float]]] = {n: {"wall": [], "cpu": [], "loss": []} for n in chosen}
    encoding: dict[str, dict[str, list[float]]] = {n: {"wall": [], "cpu": []} for n in chosen}
    for turn in range(given.turns + 1):  # the first is for compiling and warming up, and is not timed
        steps = range(2) if turn == 0 else range(2 + (turn - 1) * given.steps, 2 + turn * given.steps)
        for name, arm in made.items():
            batches = [tensor[torch.from_numpy(order[step])] for step in steps]
            wall, cpu = time.perf_counter(), time.process_time()
            times[name]["loss"] += [arm.step(batch) for batch in batches]
            if turn:
                times[name]["wall"].append((time.perf_counter() - wall) / len(batches))
                times[name]["cpu"].append((time.process_time() - cpu) / len(batches))
        rows = tensor[: 4 * shape.batch]
        for name, arm in made.items():
            if arm.encode is None:
                continue
            wall, cpu = time.perf_counter(), time.process_time()
            for start in range(0, len(rows), shape.batch):
                arm.encode(rows[start : start + shape.batch])
            if turn:
                encoding[name]["wall"].append((time.perf_counter() - wall) / len(rows))
                encoding[name]["cpu"].append((time.process_time() - cpu) / len(rows))
    record: dict[str, Any] = {**shape._asdict(), "turns": given.turns, "steps_a_turn": given.steps, "arms": {}}
    for name in chosen:
        median = {key: statistics.median(times[name][key]) for key in ("wall", "cpu")}
        code = {key: statistics.median(encoding[name][key]) for key in ("wall", "cpu")}
        record["arms"][name] = {
            "train_rows_per_second": shape.batch / median["wall"],
            "train_rows_per_cpu_second": shape.batch / median["cpu"],
            "encode_rows_per_second": 1 / code["wall"],
            "encode_rows_per_cpu_second": 1 / code["cpu"],
            "loss": [round(value, 6) for value in times[name]["loss"]],
            "peak_mib": memory(place, name),
        }
    base = record["arms"].get(PEER)
    for entry in record["arms"].values() if base else ():
        for key in (
            "train_rows_per_second",
            "train_rows_per_cpu_second",
            "encode_rows_per_second",
            "encode_rows_per_cpu_second",
        ):
            entry[key.replace("rows", "ratio")] = entry[key] / base[key]
        entry["largest_gap_of_loss"] = max(abs(a / b - 1) for a, b in zip(entry["loss"], base["loss"], strict=True))
    return record


def memory(place: int, arm: str) -> float:
    command = [sys.executable, "-W", "ignore", __file__, "--memory", str(place), arm]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def peak(shape: Shape, name: str) -> float:
    """MiB above what the process held with data and weights in memory and everything loaded."""
    x = vectors(shape, 3 * shape.batch)
    arm = arms()[name](shape, x)
    tensor = torch.from_numpy(x)
    small = tensor[:64]
    arm.step(small)  # loads and compiles what there is
    before = int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) / 1024
    Path("/proc/self/clear_refs").write_text("5")  # resets the kernel's high-water mark
    for start in range(0, len(x), shape.batch):
        arm.step(tensor[start : start + shape.batch])
    high = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    assert resource.getpagesize()
    return high - before


def hardware() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    flags = next(line for line in lines if line.startswith("flags"))
    return {
        "processor": next(line.split(":")[1].strip() for line in lines if line.startswith("model name")),
        "cores": len(os.sched_getaffinity(0)),
        "instructions": [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags],
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numba": numba.__version__,
        "numpy": np.__version__,
    }


def show(record: dict[str, Any]) -> None:
    table = Table(
        title="m = {m}, F = {features}, k = {k}, batch {batch}: rows a second, and ratio to {peer}".format(
            peer=PEER, **record
        )
    )
    for column in (
        "arm",
        "train",
        "",
        "per CPU-second",
        "",
        "encode",
        "",
        "per CPU-second",
        "",
        "peak MiB",
        "loss gap",
    ):
        table.add_column(column, justify="left" if column == "arm" else "right")
    for name, entry in record["arms"].items():
        cells = []
        for kind in ("train", "encode"):
            for unit in ("second", "cpu_second"):
                cells.append(f"{entry[f'{kind}_rows_per_{unit}']:,.0f}")
                cells.append(f"{entry[f'{kind}_ratio_per_{unit}']:.2f}" if f"{kind}_ratio_per_{unit}" in entry else "")
        table.add_row(name, *cells, f"{entry['peak_mib']:,.0f}", f"{entry.get('largest_gap_of_loss', 0):.1e}")
    CONSOLE.print(table)


if __name__ == "__main__":
    main()
