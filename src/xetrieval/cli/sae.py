"""xetrieval sae: train, evaluate, convert and describe autoencoders."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..configs import Option, SaeConfig
from ..errors import InputError
from ..registry import CHECKPOINT_FORMATS
from .benchmarks import BenchmarkOptions
from .console import output_console, print_json, print_message
from .options import Format, FormatOption
from .progress import progress_bar
from .sae_sweep import sweep
from .shared import Commands

if TYPE_CHECKING:
    from ..sae.stack import Stack

app = Commands(help="Train, sweep, evaluate and convert sparse autoencoders.", no_args_is_help=True)
app.command()(sweep)

VectorsArgument = Annotated[
    list[Path], typer.Argument(metavar="VECTORS...", help="Vectors, one per row: .npy, .safetensors, .parquet.")
]


class BadRows(StrEnum):
    """How to treat rows that are zero, NaN or infinite."""

    refuse = "refuse"
    drop = "drop"


@app.command()
def train(
    vectors: VectorsArgument,
    output: Annotated[Path, Option("The new autoencoder's folder.")],
    config: SaeConfig,
    bad_rows: Annotated[
        BadRows, Option("What to do with rows that are zero, NaN or infinite: refuse or drop.")
    ] = BadRows.refuse,
    plot: Annotated[Path | None, Option("Draw the curves to this .png, .pdf or .svg.")] = None,
) -> None:
    """Train an autoencoder on vectors. If interrupted, run it again to resume."""
    from ..fitting import train_from_files

    if plot is not None:
        from ..evaluate.plots import check_figure, plot_curves

        check_figure(plot)
    with progress_bar() as progress:
        made = train_from_files(vectors, config, output, bad_rows.value, progress)
    if plot is not None:
        plot_curves(output / "log.jsonl", plot)
    print_message(f"autoencoder of {made.sae.features} features, {made.sae.form}, in {output}")


@app.command()
def evaluate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An autoencoder's folder.")],
    benchmarks: BenchmarkOptions,
    vectors: Annotated[list[Path] | None, Option("Vectors to reconstruct; may be repeated.")] = None,
    format: FormatOption = Format.text,
) -> None:
    """Measure an autoencoder: reconstruction, use of features, and ranking by reconstructed vectors."""
    from ..evaluate import ndcg10, reconstructed
    from ..sae import SparseAutoencoder
    from ..sae.measure import evaluate_sae

    if not vectors and not benchmarks.data:
        raise InputError("nothing to measure on: give --vectors FILE, or --data FOLDER and --encoder E")
    to_rank = benchmarks.read()
    sae = SparseAutoencoder.load(folder)
    record: dict[str, Any] = evaluate_sae(sae, _checked(vectors, sae.dimension))._asdict() if vectors else {}
    if to_rank:
        record["benchmarks"] = {
            benchmark.name: {
                "ndcg10": ndcg10(benchmark, encoded),
                "ndcg10_reconstructed": ndcg10(benchmark, reconstructed(sae, encoded)),
            }
            for benchmark, encoded in benchmarks.encode(to_rank)
        }
        first = next(iter(record["benchmarks"].values()))
        record |= first if len(record["benchmarks"]) == 1 else {}
    if format is Format.json:
        print_json(record)
    else:
        _table(record)


def _checked(paths: list[Path], dimension: int) -> Stack:
    """The vectors of several files, without rows that cannot be measured."""
    import numpy as np

    from ..encoders import map_vectors
    from ..sae.train import Stack
    from ..sae.train.rows import check_rows

    stack = Stack([map_vectors(path) for path in paths], [str(path) for path in paths])
    if stack.shape[1] != dimension:
        raise InputError(f"{paths[0]}: dimension is {stack.shape[1]}, the autoencoder's is {dimension}")
    check_rows(stack, np.arange(len(stack)), least=1)
    return stack


def _table(record: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table("measure", "value")
    for key, value in record.items():
        if isinstance(value, dict):
            for name, found in value.items():
                table.add_row(f"{name}: NDCG@10", f"{found['ndcg10']:.4f} -> {found['ndcg10_reconstructed']:.4f}")
        elif not key.startswith("ndcg10"):
            table.add_row(key, f"{value:,.4f}" if isinstance(value, float) else f"{value:,}")
    output_console().print(table)


@app.command()
def convert(
    source: Annotated[str, typer.Argument(metavar="IN", help="The checkpoint to read.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Where to write the checkpoint; must not exist.")],
    of: Annotated[
        str,
        Option(
            f"xetrieval, {', '.join(CHECKPOINT_FORMATS)}; or explainer, whose labels are written beside it.", "--from"
        ),
    ],
    to: Annotated[str, Option("One of these formats, except explainer.")],
) -> None:
    """Convert a checkpoint. A conversion that would lose information is refused, with the reason."""
    from ..sae.formats import FORMATS
    from ..sae.formats import convert as run

    if of == "explainer" and to in FORMATS:
        from ..explain import load
        from ..features import write_features

        explainer = load(source)
        sae = explainer.sae
        FORMATS[to].write(sae, target)
        if target.is_dir():
            write_features(target / "xetrieval_features.jsonl", explainer.features, explainer.sae.digest)
    else:
        sae = run(Path(source), of, target, to)
    print_message(f"autoencoder of {sae.features} features, {sae.form}, in {target}")


@app.command()
def info(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An autoencoder's folder.")],
    format: FormatOption = Format.text,
) -> None:
    """Show an autoencoder: size, form, training data and figures."""
    from ..sae import read_sae_folder
    from ..sae.measure import duplicate_fraction

    found = read_sae_folder(folder)
    facts = {
        "features": found.sae.features,
        "dimension": found.sae.dimension,
        "k": found.sae.k,
        "active": found.sae.form,
        "duplicates": duplicate_fraction(found.sae),
        "provenance": found.provenance,
        "metrics": found.metrics,
    }
    if format is Format.json:
        print_json(facts)
        return
    from rich.table import Table

    table = Table("", "")
    for key, value in facts.items():
        shown = json.dumps(value, indent=1) if isinstance(value, dict) else str(value)
        table.add_row(key.replace("_", " "), shown)
    output_console().print(table)
