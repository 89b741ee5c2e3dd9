"""xetrieval sae sweep: many autoencoders in one pass over the data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .console import give_json, output_console
from .options import CacheOption, Format, FormatOption, opened_encoder
from .progress import progress_bar
from .skipped import SkipBad, collector, report_skipped, say_all

SEVEN = "relu,topk,batchtopk,gated,jumprelu,p-anneal,gated-anneal"


def sweep(
    vectors: Annotated[Path, typer.Argument(metavar="VECTORS", help="Original vectors: .npy, .safetensors, .parquet.")],
    output: Annotated[Path, typer.Option("--output", help="Folder for the autoencoders and sweep.json.")],
    reasoned: Annotated[
        list[Path] | None,
        typer.Option("--reasoned", help="Views of the same rows, learned as well but measured separately."),
    ] = None,
    variants: Annotated[str, typer.Option("--variants", help="Separated by commas.")] = SEVEN,
    l0: Annotated[str, typer.Option("--l0", help="Active features per row, separated by commas.")] = "16,32,64,128,256",
    features: Annotated[str, typer.Option("--features", "-F", help="Separated by commas.")] = "1536",
    epochs: Annotated[int, typer.Option("--epochs", help="Passes over the vectors.")] = 2,
    batch_size: Annotated[int, typer.Option("--batch-size", help="Rows per step.")] = 1024,
    centre: Annotated[str, typer.Option("--centre", help="none, mean or whiten.")] = "none",
    data: Annotated[list[Path] | None, typer.Option("--data", help="A benchmark (BEIR layout); may repeat.")] = None,
    encoder: Annotated[str | None, typer.Option("--encoder", help="Reads the benchmarks' texts.")] = None,
    judge: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--judge", help="Vectors of a sample of texts, and another encoder's vectors of the same texts."),
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw the table to this .png, .pdf or .svg.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same weights.")] = 0,
    format: FormatOption = Format.text,
    cache: CacheOption = None,
    skip_bad: SkipBad = False,
) -> None:
    """Train every variant at every sparsity and size in one pass, and measure them. It resumes if interrupted."""
    from ..encoders import map_vectors
    from ..errors import InputError
    from ..evaluate import IntruderSample, SweepConfig, SweepData
    from ..evaluate import sweep as run
    from ..sae.train import SaeConfig

    if data and encoder is None:
        raise InputError("--data needs --encoder: what reads the benchmarks' texts")
    if plot is not None:
        from ..evaluate.plots import check_figure, plot_sweep

        check_figure(plot)
    base = SaeConfig(epochs=epochs, batch_size=batch_size, centre=centre, seed=seed)  # type: ignore[arg-type]
    config = SweepConfig(
        variants=tuple(variants.split(",")), l0=_numbers(l0, "--l0"), features=_wholes(features), base=base
    )
    kinds: dict[str, Any] = {"original": map_vectors(vectors)}
    if reasoned:
        kinds["reasoned"] = _joined([map_vectors(path) for path in reasoned])
    given = SweepData(
        kinds=kinds,
        benchmarks=_benchmarks(data or [], encoder, cache, skip_bad),
        judged=None if judge is None else IntruderSample(*(map_vectors(path) for path in judge)),
    )
    with progress_bar() as progress:
        records = run(given, config, output, progress)
    if plot is not None:
        plot_sweep(records, plot)
    if format is Format.json:
        give_json(records)
        return
    _table(records)


def _joined(parts: list[Any]) -> Any:
    import numpy as np

    return parts[0] if len(parts) == 1 else np.concatenate([np.asarray(part, np.float16) for part in parts])


def _numbers(text: str, name: str) -> tuple[float, ...]:
    from ..errors import InputError

    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"{name} {text!r}: numbers separated by commas are asked for") from error


def _wholes(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in _numbers(text, "--features"))


def _benchmarks(folders: list[Path], encoder: str | None, cache: Path | None, skip_bad: bool) -> list[Any]:
    if not folders or encoder is None:
        return []
    from ..data.benchmark import read_benchmark
    from ..encoders import CachedEncoder
    from ..evaluate import benchmark_vectors

    reader = CachedEncoder(opened_encoder(encoder), cache)
    skipped = collector(skip_bad)
    read = [read_benchmark(folder, skipped) for folder in folders]
    report_skipped(skipped, None)
    say_all(f"{benchmark.name}: {note}" for benchmark in read for note in benchmark.notes)
    return [(benchmark, benchmark_vectors(benchmark, reader)) for benchmark in read]


def _table(records: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(title="held-out rows; dead and dense over one pass of the training rows")
    for name in (
        "variant",
        "F",
        "L0 asked",
        "L0",
        "FVU",
        "FVU reasoned",
        "dead",
        "dense",
        "dupl.",
        "NDCG kept",
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
