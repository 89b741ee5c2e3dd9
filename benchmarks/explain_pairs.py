"""10,000 pairs explained, against the way of the paper's release -> benchmarks/explain_pairs.json

    python -m benchmarks.explain_pairs

The release's way, from its description: dense codes [n, F] of the query and of every view, a Python set of the active
ids per row, set intersections per view, their sorted union. It gives ids alone. Ours gives the same ids and the
activations ("support"), or those and the shares that add up to the score ("full"). All arms run interleaved in one
process on the same vectors, m = 384, F = 3072, k = 64; medians of the repeats. Equal ids are asserted.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba  # noqa: F401  # loaded, as in a process that explains much: large jobs take the compiled loops
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from paper.kit.release_way import ReleaseWay
from xetrieval.arrays import l2norm
from xetrieval.encoders import HashingEncoder
from xetrieval.explain import Explainer, overlap
from xetrieval.features import Feature
from xetrieval.internalizer import Internalizer
from xetrieval.sae import SparseAutoencoder
from xetrieval.views import ASPECTS

M, F, K, HIDDEN = 384, 3072, 64, 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    given = parser.parse_args()
    explainer, q, z = material(given.pairs)
    release = ReleaseWay(explainer)
    codes_q, codes_views = explainer.sae.encode(q), explainer.codes(z)
    dense_q, dense_views = release.encode(q), [release.encode(view) for view in release.views(z)]

    def from_codes() -> Any:
        return release.shared(release.active(dense_q), [release.active(view) for view in dense_views])

    def full_from_codes() -> Any:
        return explainer.explain_codes(q, z, codes_q, codes_views)

    arms: dict[str, Callable[[], Any]] = {
        "release, from vectors": lambda: release.explain(q, z),
        "ours support, from vectors": lambda: overlap(explainer.sae.encode(q), explainer.codes(z), F),
        "ours full, from vectors": lambda: explainer.explain_vectors(q, z),
        "release, from codes": from_codes,
        "ours support, from codes": lambda: overlap(codes_q, codes_views, F),
        "ours full, from codes": full_from_codes,
    }
    agree(from_codes(), overlap(codes_q, codes_views, F))
    wall: dict[str, list[float]] = {name: [] for name in arms}
    cpu: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(given.repeats):
        for name, arm in arms.items():
            w, c = time.perf_counter(), time.process_time()
            arm()
            wall[name].append(time.perf_counter() - w)
            cpu[name].append(time.process_time() - c)
    tracemalloc.start()
    full_from_codes()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    medians = {name: statistics.median(times) for name, times in wall.items()}
    record = {
        "pairs": given.pairs,
        "m": M,
        "F": F,
        "k": K,
        "repeats": given.repeats,
        "mean_shared_features": float(overlap(codes_q, codes_views, F).sizes.mean()),
        "hardware": {
            "cores": torch.get_num_threads(),
            "machine": platform.machine(),
            "python": platform.python_version(),
        },
        "median_wall_seconds": medians,
        "median_cpu_seconds": {name: statistics.median(times) for name, times in cpu.items()},
        "all_wall_seconds": wall,
        "times_as_fast": {
            f"{kind}, from {source}": medians[f"release, from {source}"] / medians[f"ours {kind}, from {source}"]
            for source in ("vectors", "codes")
            for kind in ("support", "full")
        },
        "peak_bytes_full_from_codes": peak,
        "bytes_of_one_array_pairs_x_F": given.pairs * F * 4,
    }
    given.output.write_text(json.dumps(record, indent=1) + "\n")
    show(record)


def material(n: int) -> tuple[Explainer, Any, Any]:
    """Random weights, and pairs as near to each other as a query is to a good hit."""
    rng = np.random.default_rng(0)
    directions = l2norm(rng.standard_normal((F, M))).astype(np.float32)
    bias = np.zeros(F, np.float32)
    sae = SparseAutoencoder(
        directions, bias, np.ascontiguousarray(directions.T), rng.normal(0, 0.01, M).astype(np.float32), K
    )

    def part(*shape: int) -> Any:
        return rng.normal(0, 0.04, shape).astype(np.float32)

    nets = {a: Internalizer(part(HIDDEN, M), part(HIDDEN), part(M, HIDDEN), part(M), form="paper") for a in ASPECTS}
    features = tuple(Feature(j, None, None, 0.0) for j in range(F))
    explainer = Explainer("benchmark", HashingEncoder(M).identity, sae, nets, features)
    q = l2norm(rng.standard_normal((n, M))).astype(np.float32)
    z = l2norm(q + 0.06 * rng.standard_normal((n, M))).astype(np.float32)
    return explainer, q, z


def agree(theirs: list[dict[str, Any]], ours: Any) -> None:
    """Same ids on all but the rows where two scores tie to the last bit of float32."""
    equal = sum(pair["shared"] == ours.features[ours.of(i)].tolist() for i, pair in enumerate(theirs))
    assert equal >= 0.995 * len(theirs), f"only {equal} of {len(theirs)} pairs agree"


def show(record: dict[str, Any]) -> None:
    table = Table(title=f"{record['pairs']:,} pairs, m={M} F={F} k={K}, median of {record['repeats']}")
    for column in ("arm", "wall s", "CPU s", "times as fast as the release's way"):
        table.add_column(column, justify="left" if column == "arm" else "right")
    for name, seconds in record["median_wall_seconds"].items():
        ratio = record["times_as_fast"].get(name.removeprefix("ours "))
        cpu = record["median_cpu_seconds"][name]
        table.add_row(name, f"{seconds:.3f}", f"{cpu:.3f}", f"{ratio:.1f}" if ratio else "")
    Console(width=110).print(table)
    Console().print(
        f"peak memory of the full explanation {record['peak_bytes_full_from_codes'] / 1e6:.0f} MB; "
        f"one array of pairs x F would be {record['bytes_of_one_array_pairs_x_F'] / 1e6:.0f} MB"
    )


if __name__ == "__main__":
    main()
