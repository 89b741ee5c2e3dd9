"""xetrieval sae sweep: many autoencoders in one pass over the data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ..configs import Option, SweepConfig
from .benchmarks import BenchmarkOptions
from .console import output_console, print_json
from .options import Format, FormatOption
from .progress import progress_bar


@dataclass(frozen=True)
class MoreVectors:
    """Vectors in addition to the original ones."""

    views: Annotated[
        list[Path] | None, Option("Views of the same rows, also trained on but measured separately; may be repeated.")
    ] = None
    intruder_vectors: Annotated[
        tuple[Path, Path] | None,
        Option("Vectors of a sample of texts, and another encoder's vectors of the same texts."),
    ] = None


def sweep(
    vectors: Annotated[Path, typer.Argument(metavar="VECTORS", help="Original vectors: .npy, .safetensors, .parquet.")],
    output: Annotated[Path, Option("Folder for the autoencoders and sweep.json.")],
    config: SweepConfig,
    benchmarks: BenchmarkOptions,
    more: MoreVectors,
    plot: Annotated[Path | None, Option("Draw the table to this .png, .pdf or .svg.")] = None,
    format: FormatOption = Format.text,
) -> None:
    """Train and measure every variant at every sparsity and size in one pass. If interrupted, rerun to resume."""
    from ..encoders import map_vectors
    from ..evaluate import IntruderSample, SweepData
    from ..evaluate import sweep as run

    if plot is not None:
        from ..evaluate.plots import check_figure, plot_sweep

        check_figure(plot)
    kinds: dict[str, Any] = {"original": map_vectors(vectors)}
    if more.views:
        kinds["reasoned"] = _joined([map_vectors(path) for path in more.views])
    data = SweepData(
        kinds=kinds,
        benchmarks=benchmarks.encode(benchmarks.read()),
        judged=None if more.intruder_vectors is None else IntruderSample(*map(map_vectors, more.intruder_vectors)),
    )
    with progress_bar() as progress:
        records = run(data, config, output, progress)
    if plot is not None:
        plot_sweep(records, plot)
    if format is Format.json:
        print_json(records)
    else:
        _table(records)


def _joined(parts: list[Any]) -> Any:
    import numpy as np

    return parts[0] if len(parts) == 1 else np.concatenate([np.asarray(part, np.float16) for part in parts])


def _table(records: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(title="held-out rows; dead and dense over one pass of the training rows")
    for name in (
        "variant",
        "F",
        "target L0",
        "L0",
        "FVU",
        "FVU reasoned",
        "dead",
        "dense",
        "dupl.",
        "NDCG ratio",
        "intruder",
    ):
        table.add_column(name, justify="left" if name == "variant" else "right")
    for r in records:
        ranked = [b["ndcg10_reconstructed"] / b["ndcg10"] for b in r["benchmarks"].values() if b["ndcg10"]]
        table.add_row(
            r["variant"],
            str(r["features"]),
            f"{r['target_l0']:g}",
            f"{r['original']['l0']:.1f}",
            f"{r['original']['fvu']:.3f}",
            f"{r['reasoned']['fvu']:.3f}" if "reasoned" in r else "",
            *(f"{r[key]:.1%}" for key in ("dead", "dense", "duplicates")),
            f"{sum(ranked) / len(ranked):.3f}" if ranked else "",
            f"{r['intruder']['accuracy']:.2f}" if "intruder" in r else "",
        )
    output_console().print(table)
