"""xetrieval evaluate: measure on benchmarks, with records in JSON and a table in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ..configs import Option, RetrievalConfig, SteeringConfig
from ..errors import InputError
from .evaluate_names import names, verdicts
from .evaluate_options import EvaluateOptions
from .evaluate_simulatability import answers, simulatability
from .options import named_encoder, open_explainer
from .shared import Commands

if TYPE_CHECKING:
    from ..data.benchmark import Benchmark
    from ..encoders import Encoder
    from ..evaluate import BenchmarkVectors
    from ..evaluate.retrieval import RetrievalResult
    from ..explain import Explainer
    from ..internalizer import Internalizer
    from ..sae import SparseAutoencoder

app = Commands(help="Measure retrieval, intervention, faithfulness, steering and more.", no_args_is_help=True)
app.command()(names)
app.command()(verdicts)
app.command()(simulatability)
app.command()(answers)


RawSae = Annotated[Path | None, Option("An autoencoder trained only on original vectors, to compare with.")]


@dataclass(frozen=True)
class ViewOptions:
    """The source of views."""

    internalizers: Annotated[Path | None, Option("From `internalizer train`, instead of an explainer's.")] = None
    encoder: Annotated[str | None, Option("With --internalizers: their encoder.")] = None
    teacher: Annotated[
        list[str] | None, Option("Also rank by a teacher's texts, among the documents that have some; may be repeated.")
    ] = None

    def open(self, shared: EvaluateOptions) -> tuple[Encoder, Mapping[str, Internalizer]]:
        """The encoder and the internalizers, from a folder of internalizers or from an explainer."""
        if self.internalizers is None:
            opened = open_explainer(shared.explainer, self.encoder, shared.cache)
            return opened.encoder, opened.internalizers
        from ..encoders import CachedEncoder
        from ..fitting.internalizers import open_internalizers

        if shared.explainer != EvaluateOptions.explainer:
            raise InputError("--internalizers and -x do not go together: views come from one of them")
        if self.encoder is None:
            raise InputError("--internalizers needs --encoder, the encoder they were trained with")
        reader = CachedEncoder(named_encoder(self.encoder), shared.cache)
        return reader, open_internalizers(self.internalizers, reader)


@app.command()
def retrieval(shared: EvaluateOptions, views: ViewOptions, config: RetrievalConfig) -> None:
    """Measure NDCG@10 of the encoder alone, with internalized views, and with a teacher's texts."""
    from ..evaluate import internalized, taught
    from ..evaluate import retrieval as run
    from ..teachers import read_teacher

    reader, nets = views.open(shared)
    forms = "+".join(sorted({net.form for net in nets.values()}))
    facts = {"encoder": reader.identity.name, "system": "internalizer", "form": forms, "teacher": "as trained"}

    def measure(benchmark: Benchmark, vectors: BenchmarkVectors) -> list[RetrievalResult]:
        if not views.teacher:
            return run(benchmark, vectors, internalized(nets, vectors.documents), facts, config)
        lessons = [pair for name in views.teacher for pair in read_teacher(name, benchmark.documents)]
        part = taught(benchmark, lessons, reader)
        row = {document.id: place for place, document in enumerate(benchmark.documents)}
        at = {query: place for place, query in enumerate(benchmark.query_ids)}
        few = vectors._replace(
            queries=vectors.queries[[at[q] for q in part.benchmark.query_ids]],
            documents=vectors.documents[[row[d.id] for d in part.benchmark.documents]],
        )
        records = run(part.benchmark, few, internalized(nets, few.documents), facts, config)
        written = "+".join(Path(name).name for name in views.teacher)
        by_teacher = {**facts, "system": "cot", "form": None, "teacher": written}
        records += run(part.benchmark, few, part.views, by_teacher, config)[1:]
        return records

    shared.run("retrieval", reader, measure)


@app.command()
def intervention(shared: EvaluateOptions, raw_sae: RawSae = None) -> None:
    """Erase or keep only the shared features, and compare the change in score with random sets of the same size."""
    from ..evaluate import InterventionConfig
    from ..evaluate import intervention as run

    opened, raw = _explainers(shared, raw_sae)
    config = InterventionConfig(seed=shared.seed)
    shared.run("intervention", opened.encoder, lambda b, vectors: [run(opened, b, vectors, config, raw)])


@app.command()
def faithfulness(shared: EvaluateOptions, raw_sae: RawSae = None) -> None:
    """Erase or keep more and more features, to test whether those listed first in an explanation carry the most."""
    from ..evaluate import FaithfulnessConfig
    from ..evaluate import faithfulness as run

    opened, raw = _explainers(shared, raw_sae)
    config = FaithfulnessConfig(seed=shared.seed)
    shared.run("faithfulness", opened.encoder, lambda b, vectors: [run(opened, b, vectors, config, raw)])


@app.command()
def steering(shared: EvaluateOptions, config: SteeringConfig, raw_sae: RawSae = None) -> None:
    """Scale the key features, chosen on half of the queries, and measure NDCG@10 on the other half."""
    from ..evaluate import steering as run

    opened, raw = _explainers(shared, raw_sae)
    shared.run("steering", opened.encoder, lambda b, vectors: run(opened.sae, b, vectors, config, raw))


def _explainers(shared: EvaluateOptions, raw_sae: Path | None) -> tuple[Explainer, SparseAutoencoder | None]:
    """The explainer, and the autoencoder to compare it with."""
    from ..sae import SparseAutoencoder

    opened = open_explainer(shared.explainer, None, shared.cache)
    return opened, None if raw_sae is None else SparseAutoencoder.load(raw_sae)
