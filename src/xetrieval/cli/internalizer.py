"""xetrieval internalizer: train and evaluate the networks that add reasoning to embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..configs import InternalizerConfig, Option
from .benchmarks import DataOption
from .console import output_console, print_json, print_message
from .options import CacheOption, CorporaArgument, Format, FormatOption, named_encoder
from .progress import progress_bar
from .shared import Commands
from .skipped import SkipBad, print_messages, report_skipped, skipped_rows

if TYPE_CHECKING:
    from ..data.benchmark import Benchmark
    from ..encoders import CachedEncoder
    from ..progress import Progress
    from ..teachers import TeacherPair

app = Commands(help="Train and check internalizers, which predict views from vectors.", no_args_is_help=True)

Teachers = Annotated[
    list[str],
    Option(
        "texts.jsonl, clicks.jsonl, a pairs .tsv, field:NAME; each with =ASPECT, @WEIGHT; may be repeated.", "--teacher"
    ),
]


@dataclass(frozen=True)
class Lessons:
    """Teachers' texts about documents, and how they are encoded."""

    teacher: Teachers
    encoder: Annotated[str, Option("minilm, a model name or folder, or URL#MODEL.")]
    cache: CacheOption = None
    skip_bad: SkipBad = False

    def read(
        self, corpora: list[Path], output: Path | None, data: Sequence[str] = ()
    ) -> tuple[list[TeacherPair], list[Benchmark]]:
        """The pairs, and benchmarks; unusable rows are listed in a file beside `output`."""
        from ..data import read_corpora
        from ..data.benchmark import open_benchmark
        from ..teachers import read_teacher

        skipped = skipped_rows(skip_bad=self.skip_bad)
        documents = read_corpora(corpora, skipped)
        benchmarks = [open_benchmark(name, skipped) for name in data]
        pairs = [pair for name in self.teacher for pair in read_teacher(name, documents, skipped)]
        report_skipped(skipped, output)
        print_messages(f"{benchmark.name}: {note}" for benchmark in benchmarks for note in benchmark.notes)
        return pairs, benchmarks

    def reader(self, progress: Progress) -> CachedEncoder:
        """The encoder, with its cache."""
        from ..encoders import CachedEncoder

        return CachedEncoder(named_encoder(self.encoder), self.cache, progress)


@app.command()
def train(
    corpora: CorporaArgument,
    lessons: Lessons,
    output: Annotated[Path, Option("The new folder.")],
    config: InternalizerConfig,
) -> None:
    """Train one network for each aspect of the teachers' texts, as in the paper; takes seconds after encoding."""
    from ..fitting.internalizers import train_to_folder

    pairs, _ = lessons.read(corpora, output)
    with progress_bar() as progress:
        reader = lessons.reader(progress)
        facts = {"corpora": [path.name for path in corpora], "teachers": [Path(name).name for name in lessons.teacher]}
        learned = train_to_folder(pairs, reader, output, config, facts, progress)
    for aspect, figures in learned.metrics.items():
        print_message(
            f"{aspect}: {figures['pairs']:,} pairs, cosine to the teacher on validation "
            f"{figures['validation_cosine_doing_nothing']:.3f} -> {figures['validation_cosine']:.3f}"
        )
    print_message(f"internalizers of {', '.join(learned.internalizers)} in {output}")


@app.command()
def evaluate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `internalizer train` wrote.")],
    corpora: CorporaArgument,
    lessons: Lessons,
    data: DataOption = None,
    format: FormatOption = Format.text,
) -> None:
    """Measure how close views come to the embeddings of teachers' texts and, with --data, their effect on rankings."""
    from ..evaluate import benchmark_vectors, internalized, retrieval
    from ..fitting.internalizers import open_internalizers, report_on

    pairs, benchmarks = lessons.read(corpora, None, data or ())
    with progress_bar() as progress:
        reader = lessons.reader(progress)
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
        print_json(records + ranked)
        return
    from rich.table import Table

    from ..evaluate.tables import table_of

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
        output_console().print(table_of("retrieval", ranked))
