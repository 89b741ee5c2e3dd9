"""Options of all `xetrieval evaluate` commands: data, samples, seed, output, format."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from ..configs import Option, Range
from .benchmarks import read_benchmarks
from .console import output_console, print_json
from .options import CacheOption, ExplainerOption, Format, FormatOption, SeedOption
from .output import check_output
from .progress import progress_bar
from .skipped import SkipBad

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from ..data.benchmark import Benchmark
    from ..encoders import Encoder
    from ..evaluate import BenchmarkVectors

Measure = Callable[["Benchmark", "BenchmarkVectors"], Sequence["DataclassInstance"]]  # results of one kind


@dataclass(frozen=True)
class EvaluateOptions:
    """The fields are the options."""

    data: Annotated[list[str], Option("BEIR folder, its name under $XETRIEVAL_DATA, or irds:NAME; may be repeated.")]
    explainer: ExplainerOption = "minilm"
    queries: Annotated[int | None, Option("A sample of this many queries; default: all."), Range(1)] = None
    documents: Annotated[
        int | None, Option("Use this many documents: the judged ones, then others; default: all."), Range(1)
    ] = None
    seed: SeedOption = 0
    output: Annotated[
        Path | None, Option("Also write the records to this JSON file; - prints them instead of the table.")
    ] = None
    format: FormatOption = Format.text
    cache: CacheOption = None
    skip_bad: SkipBad = False

    def run(self, what: str, reader: Encoder, measure: Measure) -> None:
        """Read, encode and measure every benchmark. The output file is written after each one."""
        from ..data.benchmark import sample_benchmark
        from ..encoders import CachedEncoder
        from ..evaluate import benchmark_vectors
        from ..files import is_stream
        from ..files.atomic import STANDARD

        check_output(self.output, *map(Path, self.data), Path(self.explainer))
        results: list[DataclassInstance] = []
        whole = read_benchmarks(self.data, self.output, skip_bad=self.skip_bad)
        benchmarks = [sample_benchmark(one, self.queries, self.documents, self.seed) for one in whole]
        with progress_bar() as progress:
            if isinstance(reader, CachedEncoder):
                reader.progress = progress
            for place, benchmark in enumerate(benchmarks):
                progress(what, place, len(benchmarks), benchmark.name)
                results += measure(benchmark, benchmark_vectors(benchmark, reader))
                progress(what, place + 1, len(benchmarks), benchmark.name)
                if self.output is not None and not is_stream(self.output):
                    self._write(results)
        if self.output is not None and is_stream(self.output):  # a stream cannot be rewritten
            self._write(results)
        if str(self.output) == STANDARD:  # the records were already printed
            return
        if self.format is Format.json:
            print_json([asdict(result) for result in results])
        else:
            from ..evaluate.tables import table_of

            output_console().print(table_of(what, results))

    def _write(self, results: list[Any]) -> None:
        from ..files import write_text

        assert self.output is not None
        write_text(self.output, json.dumps([asdict(result) for result in results], indent=1, ensure_ascii=False) + "\n")
