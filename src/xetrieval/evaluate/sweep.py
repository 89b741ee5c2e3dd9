"""Trains many autoencoders in one pass over the data and tabulates their metrics (paper, Fig. 3 and 4)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Matrix
from ..configs import SweepConfig
from ..data.benchmark import Benchmark
from ..errors import InputError
from ..files import claim, write_text
from ..progress import Progress, silent
from ..sae import SparseAutoencoder
from ..sae.measure import Activity, duplicate_fraction, measured
from ..sae.train import SaeStep, Stack, train_many
from ..sae.train.rows import BadRows
from .intruder import IntruderSample, intruder_score
from .retrieval import ndcg10, reconstructed
from .vectors import BenchmarkVectors

MEASURED = 20_000  # at most this many held-out rows per kind


@dataclass(frozen=True)
class SweepData:
    """The data for training and measuring. `kinds`: original vectors, then views of the same rows."""

    kinds: Mapping[str, Matrix]  # name -> [n, m]
    benchmarks: Sequence[tuple[Benchmark, BenchmarkVectors]] = ()
    judged: IntruderSample | None = None


def sweep(
    data: SweepData,
    config: SweepConfig,
    output: Path,
    progress: Progress = silent,
    bad_rows: BadRows = "refuse",
) -> list[dict[str, Any]]:
    """Train all, write each as a folder and the table as OUTPUT/sweep.json; resumes if interrupted.

    Raises:
        InputError: see `train_many`; kinds of different shapes; an output folder with other content.
    """
    configs = config.configs()
    stack = Stack(list(data.kinds.values()), list(data.kinds))
    held = held_out_rows(stack, len(data.kinds), config)
    claim(output, "sweep")
    state = output / "state.pt"

    def on_step(place: int, step: SaeStep) -> None:
        if place == 0:
            progress("sweep", step.step, step.steps, f"{len(configs)} autoencoders")

    trained = train_many(stack, configs, on_step, np.flatnonzero(~held), state, bad_rows)
    before = [(benchmark, vectors, ndcg10(benchmark, vectors)) for benchmark, vectors in data.benchmarks]
    records = []
    for one, result in zip(configs, trained, strict=True):
        record: dict[str, Any] = {
            "variant": one.variant,
            "features": one.features,
            "target_l0": one.l0,
            "samples": result.steps * one.batch_size,
            "steps": result.steps,
            **measure(result.sae, stack, held, data),
        }
        record["benchmarks"] = {
            benchmark.name: {"ndcg10": base, "ndcg10_reconstructed": ndcg10(benchmark, reconstructed(result.sae, v))}
            for benchmark, v, base in before
        }
        if data.judged is not None:
            record["intruder"] = intruder_score(result.sae, data.judged)._asdict()
        folder = output / f"{one.variant}-{one.features}-{one.l0:g}"
        if not folder.exists():
            result.sae.save(folder, {"config": one.to_dict(), "kinds": list(data.kinds)}, record)
        records.append(record)
        write_text(output / "sweep.json", json.dumps(records, indent=1) + "\n")
    return records


def held_out_rows(stack: Stack, kinds: int, config: SweepConfig) -> NDArray[np.bool_]:
    """True for held-out rows. The views of a row are held out with it: a kind has n rows, or a multiple.

    Raises:
        InputError: the rows of a kind are not a multiple of those of the first.
    """
    lengths = np.diff(stack.starts)[:kinds]
    n = int(lengths[0])
    if (lengths % n).any():
        raise InputError(
            f"kinds of {lengths.tolist()} rows: each must have as many rows as the first, or a multiple of it"
        )
    chosen = np.random.default_rng(config.seed).random(n) < config.held_out
    return np.concatenate([np.tile(chosen, length // n) for length in lengths])


def measure(sae: SparseAutoencoder, stack: Stack, held: NDArray[np.bool_], data: SweepData) -> dict[str, Any]:
    """Reconstruction of the held-out rows of each kind; dead and dense features of the training rows; duplicates."""
    out: dict[str, Any] = {}
    for name, start, end in zip(data.kinds, stack.starts, stack.starts[1:], strict=False):
        rows = start + np.flatnonzero(held[start:end])[:MEASURED]
        found = measured(sae, stack.take(rows))
        active = int((found.activity.active > 0).sum())
        out[name] = {**found.reconstruction()._asdict(), "features_active": active, "rows": len(rows)}
    learnt, activity = np.flatnonzero(~held), Activity(sae.features)
    for first in range(0, len(learnt), 65_536):
        activity.add(sae.encode(stack.take(learnt[first : first + 65_536]), bulk=True))
    return {**out, "dead": activity.dead, "dense": activity.dense, "duplicates": duplicate_fraction(sae)}
