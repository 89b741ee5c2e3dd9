"""xetrieval evaluate: one grammar for every evaluation; records in JSON, a table in the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .evaluate_tables import print_table
from .options import CacheOption, ExplainerOption, Format, FormatOption, open_explainer, progress_bar, show_bar

if TYPE_CHECKING:
    from ..data.benchmark import Benchmark
    from ..evaluate import BenchmarkVectors

app = typer.Typer(help="Measure retrieval, intervention, steering, labels, efficiency.", no_args_is_help=True)

Data = Annotated[
    list[str],
    typer.Option("--data", help="BEIR folder, its name under $XETRIEVAL_DATA, or irds:NAME; may repeat."),
]
Queries = Annotated[int | None, typer.Option("--queries", min=1, help="A sample of so many queries; default: all.")]
Documents = Annotated[
    int | None, typer.Option("--documents", min=1, help="Judged documents and others up to so many; default: all.")
]
Seed = Annotated[int, typer.Option("--seed", help="Same seed, same samples.")]
Output = Annotated[Path | None, typer.Option("--output", help="Also write the records there, JSON.")]

Measure = Callable[["Benchmark", "BenchmarkVectors"], list[dict[str, Any]]]


@app.command()
def retrieval(
    data: Data,
    explainer: ExplainerOption = "minilm",
    internalizers: Annotated[
        Path | None, typer.Option("--internalizers", help="What `internalizer train` wrote, instead of an explainer's.")
    ] = None,
    encoder: Annotated[str | None, typer.Option("--encoder", help="With --internalizers: their encoder.")] = None,
    texts: Annotated[
        list[str] | None,
        typer.Option("--texts", help="Teacher texts about the documents: rank those that have some, by CoT reasoner."),
    ] = None,
    weights: Annotated[
        str, typer.Option("--weights", help="sum, as in the paper, or learned on one half for the other.")
    ] = "sum",
    queries: Queries = None,
    documents: Documents = None,
    seed: Seed = 0,
    output: Output = None,
    format: FormatOption = Format.text,
    cache: CacheOption = None,
) -> None:
    """NDCG@10 of the encoder alone, with internalized views, and with texts that a teacher wrote."""
    from ..errors import InputError
    from ..evaluate import RetrievalConfig, internalized, taught
    from ..evaluate import retrieval as run
    from ..teachers import read_teacher

    config = RetrievalConfig(weights, seed=seed)
    if internalizers is not None:
        from ..encoders import CachedEncoder, open_encoder
        from ..fitting.internalizers import open_internalizers

        if encoder is None:
            raise InputError("--internalizers needs --encoder: the one they were trained with")
        reader = CachedEncoder(open_encoder(encoder), cache)
        nets: Any = open_internalizers(internalizers, reader)
    else:
        opened = open_explainer(explainer, encoder, cache)
        reader, nets = opened.encoder, opened.internalizers  # type: ignore[assignment]
    forms = "+".join(sorted({net.form for net in nets.values()}))
    facts = {"encoder": reader.identity.name, "system": "internalizer", "form": forms, "teacher": "as trained"}

    def measure(benchmark: Benchmark, vectors: BenchmarkVectors) -> list[dict[str, Any]]:
        if not texts:
            return run(benchmark, vectors, internalized(nets, vectors.documents), facts, config)
        lessons = [pair for name in texts for pair in read_teacher(name, benchmark.documents)]
        part = taught(benchmark, lessons, reader)
        row = {document.id: place for place, document in enumerate(benchmark.documents)}
        at = {query: place for place, query in enumerate(benchmark.query_ids)}
        few = vectors._replace(
            queries=vectors.queries[[at[q] for q in part.benchmark.query_ids]],
            documents=vectors.documents[[row[d.id] for d in part.benchmark.documents]],
        )
        records = run(part.benchmark, few, internalized(nets, few.documents), facts, config)
        said = {**facts, "system": "cot", "form": None, "teacher": "+".join(Path(name).name for name in texts)}
        records += run(part.benchmark, few, part.views, said, config)[1:]
        return [{**record, "documents": len(part.benchmark.documents)} for record in records]

    _run("retrieval", data, reader, measure, queries, documents, seed, output, format)


@app.command()
def intervention(
    data: Data,
    explainer: ExplainerOption = "minilm",
    queries: Queries = None,
    documents: Documents = None,
    seed: Seed = 0,
    output: Output = None,
    format: FormatOption = Format.text,
    cache: CacheOption = None,
) -> None:
    """Erase the shared features, keep only them: how the score moves, beside size-matched random sets."""
    from ..evaluate import InterventionConfig
    from ..evaluate import intervention as run

    opened = open_explainer(explainer, None, cache)
    config = InterventionConfig(seed=seed)
    _run(
        "intervention",
        data,
        opened.encoder,
        lambda benchmark, vectors: [run(opened, benchmark, vectors, config)],
        queries,
        documents,
        seed,
        output,
        format,
    )


@app.command()
def steering(
    data: Data,
    explainer: ExplainerOption = "minilm",
    raw_sae: Annotated[
        Path | None, typer.Option("--raw-sae", help="An autoencoder of encoder vectors alone, to steer with beside.")
    ] = None,
    alphas: Annotated[str, typer.Option("--alphas", help="Factors, by commas.")] = "0,0.5,1,1.5,2",
    share: Annotated[float, typer.Option("--share", help="Of the features that a set holds at most.")] = 0.125,
    queries: Queries = None,
    documents: Documents = None,
    seed: Seed = 0,
    output: Output = None,
    format: FormatOption = Format.text,
    cache: CacheOption = None,
) -> None:
    """Scale the features that matter, found on half of the queries: NDCG@10 of the other half."""
    from ..errors import InputError
    from ..evaluate import SteeringConfig
    from ..evaluate import steering as run
    from ..sae import load_sae

    try:
        factors = tuple(float(part) for part in alphas.split(","))
    except ValueError as error:
        raise InputError(f"--alphas {alphas!r}: give numbers by commas, e.g. 0,1,2") from error
    opened = open_explainer(explainer, None, cache)
    raw = None if raw_sae is None else load_sae(raw_sae).sae
    config = SteeringConfig(factors, share, seed)
    _run(
        "steering",
        data,
        opened.encoder,
        lambda benchmark, vectors: run(opened.sae, benchmark, vectors, config, raw),
        queries,
        documents,
        seed,
        output,
        format,
    )


@app.command()
def labels(
    data: Data,
    judge: Annotated[str, typer.Option("--judge", help="An encoder other than the explained one.")],
    explainer: ExplainerOption = "minilm",
    features: Annotated[int | None, typer.Option("--features", min=2, help="A sample of so many features.")] = 200,
    queries: Queries = None,
    documents: Documents = None,
    seed: Seed = 0,
    output: Output = None,
    format: FormatOption = Format.text,
    cache: CacheOption = None,
) -> None:
    """Does a label rank texts that activate its feature above others, to a judge that sees only the words?"""
    from ..encoders import CachedEncoder, open_encoder
    from ..evaluate import LabelsConfig
    from ..evaluate import labels as run

    opened = open_explainer(explainer, None, cache)
    reader = CachedEncoder(open_encoder(judge), cache)
    config = LabelsConfig(features, seed=seed)
    _run(
        "labels",
        data,
        opened.encoder,
        lambda benchmark, vectors: [run(opened, benchmark, vectors, reader, config)],
        queries,
        documents,
        seed,
        output,
        format,
    )


@app.command()
def efficiency(
    data: Data,
    explainer: ExplainerOption = "minilm",
    sizes: Annotated[str, typer.Option("--sizes", help="Numbers of documents, by commas.")] = "1000,3000,10000",
    seconds_per_text: Annotated[
        float | None, typer.Option("--seconds-per-text", help="What a language model takes for one text.")
    ] = None,
    queries: Queries = None,
    documents: Documents = None,
    seed: Seed = 0,
    output: Output = None,
    format: FormatOption = Format.text,
    cache: CacheOption = None,
) -> None:
    """Seconds that explaining takes, by the number of documents, from vectors that are there already."""
    from ..errors import InputError
    from ..evaluate import EfficiencyConfig
    from ..evaluate import efficiency as run

    if not all(part.strip().isdigit() for part in sizes.split(",")):
        raise InputError(f"--sizes {sizes!r}: give whole numbers by commas, e.g. 1000,10000")
    opened = open_explainer(explainer, None, cache)
    config = EfficiencyConfig(tuple(map(int, sizes.split(","))), seconds_per_text=seconds_per_text, seed=seed)
    _run(
        "efficiency",
        data,
        opened.encoder,
        lambda benchmark, vectors: run(opened, benchmark, vectors, config),
        queries,
        documents,
        seed,
        output,
        format,
    )


def _run(
    what: str,
    data: list[str],
    reader: Any,
    measure: Measure,
    queries: int | None,
    documents: int | None,
    seed: int,
    output: Path | None,
    format: Format,
) -> None:
    """Read, encode and measure every benchmark; records as they come, so that an interruption keeps what is done."""
    from ..data.benchmark import open_benchmark, sample_benchmark
    from ..evaluate import benchmark_vectors
    from ..store import check_writable, write_text

    if output is not None:
        check_writable(output.parent)
    records: list[dict[str, Any]] = []
    benchmarks = [sample_benchmark(open_benchmark(name), queries, documents, seed) for name in data]
    with progress_bar() as bar:
        show = show_bar(bar)
        if hasattr(reader, "report"):
            reader.report = lambda done, total: show("encode", done, total, "")
        for place, benchmark in enumerate(benchmarks):
            show(what, place, len(benchmarks), benchmark.name)
            records += measure(benchmark, benchmark_vectors(benchmark, reader))
            show(what, place + 1, len(benchmarks), benchmark.name)
            if output is not None:
                write_text(output, json.dumps(records, indent=1, ensure_ascii=False) + "\n")
    if format is Format.json:
        sys.stdout.write(json.dumps(records, ensure_ascii=False) + "\n")
    else:
        print_table(what, records)
