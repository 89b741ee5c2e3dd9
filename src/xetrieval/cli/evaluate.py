"""xetrieval evaluate: one grammar for every evaluation; records in JSON, a table in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .evaluate_grammar import Shared, shares
from .options import open_explainer, opened_encoder

if TYPE_CHECKING:
    from ..data.benchmark import Benchmark
    from ..evaluate import BenchmarkVectors
    from ..evaluate.retrieval import RetrievalResult

app = typer.Typer(help="Measure retrieval, intervention, faithfulness, steering and more.", no_args_is_help=True)


@app.command()
@shares
def retrieval(
    shared: Shared,
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
) -> None:
    """NDCG@10 of the encoder alone, with internalized views, and with texts that a teacher wrote."""
    from ..evaluate import RetrievalConfig, internalized, taught
    from ..evaluate import retrieval as run
    from ..teachers import read_teacher

    config = RetrievalConfig(weights, seed=shared.seed)
    reader, nets = _views(shared, internalizers, encoder)
    forms = "+".join(sorted({net.form for net in nets.values()}))
    facts = {"encoder": reader.identity.name, "system": "internalizer", "form": forms, "teacher": "as trained"}

    def measure(benchmark: Benchmark, vectors: BenchmarkVectors) -> list[RetrievalResult]:
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
        return records

    shared.run("retrieval", reader, measure)


def _views(shared: Shared, internalizers: Path | None, encoder: str | None) -> tuple[Any, Any]:
    """The encoder and the networks: of a folder of internalizers, or of an explainer."""
    if internalizers is None:
        opened = open_explainer(shared.explainer, encoder, shared.cache)
        return opened.encoder, opened.internalizers
    from ..encoders import CachedEncoder
    from ..errors import InputError
    from ..fitting.internalizers import open_internalizers

    if encoder is None:
        raise InputError("--internalizers needs --encoder: the one they were trained with")
    reader = CachedEncoder(opened_encoder(encoder), shared.cache)
    return reader, open_internalizers(internalizers, reader)


@app.command()
@shares
def intervention(
    shared: Shared,
    raw_sae: Annotated[
        Path | None,
        typer.Option("--raw-sae", help="An autoencoder of encoder vectors alone: what it finds shared, as `direct`."),
    ] = None,
) -> None:
    """Erase the shared features, or keep only them: how the score changes, compared with random sets of equal size."""
    from ..evaluate import InterventionConfig
    from ..evaluate import intervention as run
    from ..sae import SparseAutoencoder

    opened = open_explainer(shared.explainer, None, shared.cache)
    raw = None if raw_sae is None else SparseAutoencoder.load(raw_sae)
    config = InterventionConfig(seed=shared.seed)
    shared.run("intervention", opened.encoder, lambda b, vectors: [run(opened, b, vectors, config, raw)])


@app.command()
@shares
def faithfulness(
    shared: Shared,
    raw_sae: Annotated[
        Path | None, typer.Option("--raw-sae", help="An autoencoder of encoder vectors alone, its order beside ours.")
    ] = None,
) -> None:
    """Erase or keep more and more features: do those that an explanation shows first carry the most?"""
    from ..evaluate import FaithfulnessConfig
    from ..evaluate import faithfulness as run
    from ..sae import SparseAutoencoder

    opened = open_explainer(shared.explainer, None, shared.cache)
    raw = None if raw_sae is None else SparseAutoencoder.load(raw_sae)
    config = FaithfulnessConfig(seed=shared.seed)
    shared.run("faithfulness", opened.encoder, lambda b, vectors: [run(opened, b, vectors, config, raw)])


@app.command()
@shares
def steering(
    shared: Shared,
    raw_sae: Annotated[
        Path | None, typer.Option("--raw-sae", help="An autoencoder of encoder vectors alone, to steer with as well.")
    ] = None,
    alphas: Annotated[str, typer.Option("--alphas", help="Factors, separated by commas.")] = "0,0.5,1,1.5,2",
    fraction: Annotated[
        float, typer.Option("--fraction", help="The most features in a set, as a fraction of all.")
    ] = 0.125,
) -> None:
    """Scale the features that matter, found on half of the queries: NDCG@10 of the other half."""
    from ..errors import InputError
    from ..evaluate import SteeringConfig
    from ..evaluate import steering as run
    from ..sae import SparseAutoencoder

    try:
        factors = tuple(float(part) for part in alphas.split(","))
    except ValueError as error:
        raise InputError(f"--alphas {alphas!r}: give numbers by commas, e.g. 0,1,2") from error
    opened = open_explainer(shared.explainer, None, shared.cache)
    raw = None if raw_sae is None else SparseAutoencoder.load(raw_sae)
    config = SteeringConfig(factors, fraction, shared.seed)
    shared.run("steering", opened.encoder, lambda b, vectors: run(opened.sae, b, vectors, config, raw))


@app.command()
@shares
def labels(
    shared: Shared,
    judge: Annotated[str, typer.Option("--judge", help="An encoder other than the explained one.")],
    features: Annotated[int | None, typer.Option("--features", min=2, help="A sample of this many features.")] = 200,
) -> None:
    """Does a judge that sees only the words of a label rank texts that activate its feature above others?"""
    from ..encoders import CachedEncoder, open_encoder
    from ..evaluate import LabelsConfig
    from ..evaluate import labels as run

    opened = open_explainer(shared.explainer, None, shared.cache)
    reader = CachedEncoder(open_encoder(judge), shared.cache)
    config = LabelsConfig(features, seed=shared.seed)
    shared.run("labels", opened.encoder, lambda b, vectors: [run(opened, b, vectors, reader, config)])
