"""xetrieval internalizer: the networks that put reasoning into embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .console import give_json, output_console, say
from .evaluate_tables import print_table
from .options import CacheOption, Format, FormatOption, opened_encoder
from .progress import progress_bar
from .skipped import SkipBad, collector, report_skipped, say_all

app = typer.Typer(help="Train and check internalizers: vectors to views.", no_args_is_help=True)

Corpora = Annotated[list[Path], typer.Argument(metavar="CORPUS...", help="BEIR folders or JSON lines files.")]
Teachers = Annotated[
    list[str],
    typer.Option(
        "--teacher", help="texts.jsonl, clicks.jsonl, a pairs .tsv, field:NAME; each with =ASPECT, @WEIGHT; may repeat."
    ),
]
EncoderName = Annotated[str, typer.Option("--encoder", help="minilm, a model name or folder, or URL#MODEL.")]


@app.command()
def train(
    corpora: Corpora,
    teacher: Teachers,
    encoder: EncoderName,
    output: Annotated[Path, typer.Option("--output", help="The new folder.")],
    form: Annotated[str, typer.Option("--form", help="residual, or the paper's.")] = "residual",
    hidden: Annotated[int, typer.Option("--hidden", min=1, help="h, the hidden size.")] = 512,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="At most this many passes.")] = 100,
    patience: Annotated[int, typer.Option("--patience", min=1, help="Passes without gain before it stops.")] = 5,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same networks.")] = 0,
    cache: CacheOption = None,
    skip_bad: SkipBad = False,
) -> None:
    """Train one network for each aspect of the teachers' texts, as in the paper; takes seconds after encoding."""
    from ..data import read_corpora
    from ..encoders import CachedEncoder
    from ..fitting.internalizers import train_to_folder
    from ..internalizer.train import InternalizerConfig
    from ..teachers import read_teacher

    config = InternalizerConfig(form=form, hidden=hidden, epochs=epochs, patience=patience, seed=seed)  # type: ignore[arg-type]
    skipped = collector(skip_bad)
    documents = read_corpora(corpora, skipped)
    pairs = [pair for name in teacher for pair in read_teacher(name, documents, skipped)]
    report_skipped(skipped, output)
    with progress_bar() as progress:
        reader = CachedEncoder(opened_encoder(encoder), cache, progress)
        facts = {"corpora": [path.name for path in corpora], "teachers": [Path(name).name for name in teacher]}
        learned = train_to_folder(pairs, reader, output, config, facts, progress)
    for aspect, figures in learned.metrics.items():
        say(
            f"{aspect}: {figures['pairs']:,} pairs, cosine to the teacher on validation "
            f"{figures['validation_cosine_doing_nothing']:.3f} -> {figures['validation_cosine']:.3f}"
        )
    say(f"internalizers of {', '.join(learned.internalizers)} in {output}")


@app.command()
def evaluate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `internalizer train` wrote.")],
    corpora: Corpora,
    teacher: Teachers,
    encoder: EncoderName,
    data: Annotated[
        list[str] | None, typer.Option("--data", help="Benchmarks to rank with the views as well; may repeat.")
    ] = None,
    format: FormatOption = Format.text,
    cache: CacheOption = None,
    skip_bad: SkipBad = False,
) -> None:
    """Measure how close views come to the embeddings of teachers' texts and, with --data, their effect on rankings."""
    from ..data import read_corpora
    from ..data.benchmark import open_benchmark
    from ..encoders import CachedEncoder
    from ..evaluate import benchmark_vectors, internalized, retrieval
    from ..fitting.internalizers import open_internalizers, report_on
    from ..teachers import read_teacher

    skipped = collector(skip_bad)
    documents = read_corpora(corpora, skipped)
    benchmarks = [open_benchmark(name, skipped) for name in data or []]
    pairs = [pair for name in teacher for pair in read_teacher(name, documents, skipped)]
    report_skipped(skipped, None)
    say_all(f"{benchmark.name}: {note}" for benchmark in benchmarks for note in benchmark.notes)
    with progress_bar() as progress:
        reader = CachedEncoder(opened_encoder(encoder), cache, progress)
        nets = open_internalizers(folder, reader)
        records = report_on(nets, pairs, reader)
        facts = {
            "encoder": reader.identity.name,
            "system": "internalizer",
            "form": "+".join(sorted({net.form for net in nets.values()})),
            "teacher": "as trained",
        }
        ranked = []
        for benchmark in benchmarks:
            vectors = benchmark_vectors(benchmark, reader)
            ranked += retrieval(benchmark, vectors, internalized(nets, vectors.documents), facts)
    if format is Format.json:
        give_json(records + ranked)
        return
    from rich.table import Table

    table = Table("aspect", "pairs", "cosine", "doing nothing", "recall of 100", "doing nothing")
    for r in records:
        table.add_row(
            r["aspect"],
            f"{r['pairs']:,}",
            f"{r['cosine']:.3f}",
            f"{r['cosine_doing_nothing']:.3f}",
            f"{r['recall_of_100']:.3f}",
            f"{r['recall_of_100_doing_nothing']:.3f}",
        )
    output_console().print(table)
    if ranked:
        print_table("retrieval", ranked)
