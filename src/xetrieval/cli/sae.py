"""xetrieval sae: train, evaluate, convert and show autoencoders."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import give_json, output_console, say
from .options import CacheOption, Format, FormatOption, opened_encoder
from .progress import progress_bar
from .sae_sweep import sweep
from .skipped import SkipBad, collector, report_skipped, say_all

if TYPE_CHECKING:
    from ..data.benchmark import Benchmark

app = typer.Typer(help="Train, sweep, evaluate and convert sparse autoencoders.", no_args_is_help=True)
app.command()(sweep)

VectorsArgument = Annotated[
    list[Path], typer.Argument(metavar="VECTORS...", help="Matrices [n, m]: .npy, .safetensors, .parquet.")
]


class BadRows(StrEnum):
    """What happens to rows that are zero, NaN or infinite."""

    refuse = "refuse"
    drop = "drop"


@app.command()
def train(
    vectors: VectorsArgument,
    output: Annotated[Path, typer.Option("--output", help="The new autoencoder's folder.")],
    variant: Annotated[
        str,
        typer.Option("--variant", help="topk, batchtopk, relu, gated, jumprelu, p-anneal, gated-anneal or matryoshka."),
    ] = "topk",
    l0: Annotated[float, typer.Option("--l0", help="Active features per row, for any variant.")] = 64,
    features: Annotated[int, typer.Option("--features", "-F", help="How many features.")] = 3072,
    epochs: Annotated[int, typer.Option("--epochs", help="Passes over the vectors.")] = 4,
    batch_size: Annotated[int, typer.Option("--batch-size", help="Rows per step.")] = 1024,
    centre: Annotated[
        str, typer.Option("--centre", help="none, mean, or whiten: the space of training, folded into the weights.")
    ] = "none",
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", help="Peak; default by F and variant.")
    ] = None,
    penalty: Annotated[
        float | None, typer.Option("--penalty", help="A fixed coefficient instead of one driven to --l0.")
    ] = None,
    resample_every: Annotated[
        float | None,
        typer.Option("--resample-every", help="Restart dead features after each such fraction of training."),
    ] = None,
    held_out: Annotated[float, typer.Option("--held-out", help="Fraction of the rows held out to measure FVU.")] = 0.0,
    early_stop: Annotated[
        int | None,
        typer.Option("--early-stop", help="Stop after this many measurements without gain; needs --held-out."),
    ] = None,
    scoring: Annotated[
        str, typer.Option("--scoring", help="float32, or bfloat16 candidates re-scored exactly (topk).")
    ] = "float32",
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, ...")] = "cpu",
    bad_rows: Annotated[
        BadRows, typer.Option("--bad-rows", help="Rows that are zero, NaN or infinite: refuse or drop.")
    ] = BadRows.refuse,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw the curves to this .png, .pdf or .svg.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same weights.")] = 0,
) -> None:
    """Train an autoencoder on vectors. If interrupted, run it again to resume."""
    from ..fitting import train_from_files
    from ..sae.train import SaeConfig

    config = SaeConfig(
        features=features,
        l0=l0,
        variant=variant,
        epochs=epochs,
        batch_size=batch_size,
        centre=centre,  # type: ignore[arg-type]  # checked there
        learning_rate=learning_rate,
        penalty=penalty,
        resample_every=resample_every,
        held_out=held_out,
        early_stop=early_stop,
        scoring=scoring,  # type: ignore[arg-type]
        device=device,
        seed=seed,
    )
    if plot is not None:
        from ..evaluate.plots import check_figure, plot_curves

        check_figure(plot)
    with progress_bar() as progress:
        made = train_from_files(vectors, config, output, bad_rows.value, progress)
    if plot is not None:
        plot_curves(output / "log.jsonl", plot)
    say(f"autoencoder of {made.sae.features} features, {made.sae.form}, in {output}")


@app.command()
def evaluate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An autoencoder's folder.")],
    vectors: Annotated[list[Path] | None, typer.Option("--vectors", help="Vectors to reconstruct; may repeat.")] = None,
    data: Annotated[list[Path] | None, typer.Option("--data", help="A benchmark (BEIR layout); may repeat.")] = None,
    encoder: Annotated[str | None, typer.Option("--encoder", help="Reads the benchmark's texts.")] = None,
    format: FormatOption = Format.text,
    cache: CacheOption = None,
    skip_bad: SkipBad = False,
) -> None:
    """Measure an autoencoder: reconstruction, use of features, and ranking by reconstructed vectors."""
    from ..data.benchmark import read_benchmark
    from ..encoders import map_vectors
    from ..errors import InputError
    from ..sae import SparseAutoencoder
    from ..sae.measure import evaluate_sae
    from ..sae.train import Stack
    from ..sae.train.rows import check_rows

    if not vectors and not data:
        raise InputError("nothing to measure on: give --vectors FILE, or --data FOLDER and --encoder E")
    if data and encoder is None:
        raise InputError("--data needs --encoder: what reads the benchmark's texts")
    sae = SparseAutoencoder.load(folder)
    skipped = collector(skip_bad)
    benchmarks = [read_benchmark(path, skipped) for path in data or []]
    report_skipped(skipped, None)
    say_all(f"{benchmark.name}: {note}" for benchmark in benchmarks for note in benchmark.notes)
    record: dict[str, Any] = {}
    if vectors:
        import numpy as np

        stack = Stack([map_vectors(path) for path in vectors], [str(path) for path in vectors])
        if stack.shape[1] != sae.dimension:
            raise InputError(f"{vectors[0]}: dimension is {stack.shape[1]}, the autoencoder's is {sae.dimension}")
        check_rows(stack, np.arange(len(stack)), least=1)
        record = evaluate_sae(sae, stack)._asdict()
    if data and encoder is not None:
        record["benchmarks"] = _ranked(sae, benchmarks, encoder, cache)
        first = next(iter(record["benchmarks"].values()))
        record |= first if len(record["benchmarks"]) == 1 else {}
    if format is Format.json:
        give_json(record)
        return
    _table(record)


def _ranked(sae: Any, benchmarks: list[Benchmark], encoder: str, cache: Path | None) -> dict[str, Any]:
    from ..encoders import CachedEncoder
    from ..evaluate import benchmark_vectors, ndcg10, reconstructed

    out = {}
    with progress_bar() as progress:
        reader = CachedEncoder(opened_encoder(encoder), cache, progress)
        for benchmark in benchmarks:
            vectors = benchmark_vectors(benchmark, reader)
            out[benchmark.name] = {
                "ndcg10": ndcg10(benchmark, vectors),
                "ndcg10_reconstructed": ndcg10(benchmark, reconstructed(sae, vectors)),
            }
    return out


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
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Where to write it; must not exist.")],
    of: Annotated[
        str,
        typer.Option(
            "--from",
            help="xetrieval, release, dictionary-learning, saelens, sparsify or sentence-transformers; or explainer, "
            "whose labels then lie beside the result.",
        ),
    ],
    to: Annotated[str, typer.Option("--to", help="One of the six.")],
) -> None:
    """Convert a checkpoint. A conversion that would lose something is refused, with the reason."""
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
    say(f"autoencoder of {sae.features} features, {sae.form}, in {target}")


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
        give_json(facts)
        return
    from rich.table import Table

    table = Table("", "")
    for key, value in facts.items():
        shown = json.dumps(value, indent=1) if isinstance(value, dict) else str(value)
        table.add_row(key.replace("_", " "), shown)
    output_console().print(table)
