"""What every `xetrieval evaluate` command takes and does alike: data, samples, seed, output, format."""

from __future__ import annotations

import functools
import inspect
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from .evaluate_tables import print_table
from .options import CacheOption, ExplainerOption, Format, FormatOption, progress_bar, show_bar

if TYPE_CHECKING:
    from ..data.benchmark import Benchmark
    from ..evaluate import BenchmarkVectors

Measure = Callable[["Benchmark", "BenchmarkVectors"], list[dict[str, Any]]]
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

    def run(self, what: str, reader: Any, measure: Measure) -> None:
        """Read, encode and measure every benchmark. Records are written as they come: what is done is kept."""
        from ..data.benchmark import open_benchmark, sample_benchmark
        from ..evaluate import benchmark_vectors
        from ..store import check_writable, write_text

        if self.output is not None:
            check_writable(self.output.parent)
        records: list[dict[str, Any]] = []
        benchmarks = [
            sample_benchmark(open_benchmark(name), self.queries, self.documents, self.seed) for name in self.data
        ]
        with progress_bar() as bar:
            show = show_bar(bar)
            if hasattr(reader, "report"):
                reader.report = lambda done, total: show("encode", done, total, "")
            for place, benchmark in enumerate(benchmarks):
                show(what, place, len(benchmarks), benchmark.name)
                records += measure(benchmark, benchmark_vectors(benchmark, reader))
                show(what, place + 1, len(benchmarks), benchmark.name)
                if self.output is not None:
                    write_text(self.output, json.dumps(records, indent=1, ensure_ascii=False) + "\n")
        if self.format is Format.json:
            sys.stdout.write(json.dumps(records, ensure_ascii=False) + "\n")
        else:
            print_table(what, records)


def shares(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose first parameter is a Shared: on the command line it takes the options of both."""
    hints = get_type_hints(command, include_extras=True)
    own = [p.replace(annotation=hints[p.name]) for p in list(inspect.signature(command).parameters.values())[1:]]
    shared_hints = get_type_hints(Shared, include_extras=True)
    parameters = [*inspect.signature(Shared).parameters.values()]
    common = [p.replace(annotation=shared_hints[p.name]) for p in parameters]

    @functools.wraps(command)
    def taking_both(**given: Any) -> None:
        shared = Shared(**{field.name: given.pop(field.name) for field in fields(Shared)})
        command(shared, **given)

    order = sorted([*common[:2], *own, *common[2:]], key=lambda p: p.default is not inspect.Parameter.empty)
    keyword = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in order]
    taking_both.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]
    taking_both.__annotations__ = {p.name: p.annotation for p in keyword}
    return taking_both
