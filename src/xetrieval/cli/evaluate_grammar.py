"""What every `xetrieval evaluate` command takes and does alike: data, samples, seed, output, format."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import give_json
from .evaluate_tables import print_table
from .options import CacheOption, ExplainerOption, Format, FormatOption
from .output import check_output
from .progress import progress_bar
from .shared import with_options
from .skipped import SkipBad, collector, report_skipped, say_all

if TYPE_CHECKING:
    from ..data.benchmark import Benchmark
    from ..evaluate import BenchmarkVectors

Measure = Callable[["Benchmark", "BenchmarkVectors"], list[Any]]  # results of one kind, frozen dataclasses
Data = Annotated[
    list[str],
    typer.Option("--data", help="BEIR folder, its name under $XETRIEVAL_DATA, or irds:NAME; may repeat."),
]
Queries = Annotated[int | None, typer.Option("--queries", min=1, help="A sample of this many queries; default: all.")]
Documents = Annotated[
    int | None,
    typer.Option("--documents", min=1, help="Judged documents, filled up with others to this many; default: all."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Same seed, same samples.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", help="Also write the records to this JSON file; - prints them instead of the table."),
]


@dataclass(frozen=True)
class Shared:
    """The options that all evaluations share; the fields are the options."""

    data: Data
    explainer: ExplainerOption = "minilm"
    queries: Queries = None
    documents: Documents = None
    seed: Seed = 0
    output: Output = None
    format: FormatOption = Format.text
    cache: CacheOption = None
    skip_bad: SkipBad = False

    def run(self, what: str, reader: Any, measure: Measure) -> None:
        """Read, encode and measure every benchmark. A file has the records as they come: what is done is kept."""
        from ..data.benchmark import open_benchmark, sample_benchmark
        from ..evaluate import benchmark_vectors
        from ..files import is_stream
        from ..files.atomic import STANDARD

        check_output(self.output, *map(Path, self.data), Path(self.explainer))
        results: list[Any] = []
        skipped = collector(self.skip_bad)
        benchmarks = [
            sample_benchmark(open_benchmark(name, skipped), self.queries, self.documents, self.seed)
            for name in self.data
        ]
        report_skipped(skipped, self.output)
        say_all(f"{benchmark.name}: {note}" for benchmark in benchmarks for note in benchmark.notes)
        with progress_bar() as progress:
            if hasattr(reader, "progress"):
                reader.progress = progress
            for place, benchmark in enumerate(benchmarks):
                progress(what, place, len(benchmarks), benchmark.name)
                results += measure(benchmark, benchmark_vectors(benchmark, reader))
                progress(what, place + 1, len(benchmarks), benchmark.name)
                if self.output is not None and not is_stream(self.output):
                    self._write(results)
        if self.output is not None and is_stream(self.output):  # what went through cannot be replaced by more
            self._write(results)
        if str(self.output) == STANDARD:  # the records are there already
            return
        if self.format is Format.json:
            give_json([asdict(result) for result in results])
        else:
            print_table(what, results)

    def _write(self, results: list[Any]) -> None:
        from ..files import write_text

        assert self.output is not None
        write_text(self.output, json.dumps([asdict(result) for result in results], indent=1, ensure_ascii=False) + "\n")


shares = with_options
