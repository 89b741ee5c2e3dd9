"""Options of commands that also rank benchmarks: the benchmarks, and the encoder of their texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from ..configs import Option
from .options import CacheOption, named_encoder
from .progress import progress_bar
from .shared import check_options
from .skipped import SkipBad, print_messages, report_skipped, skipped_rows

if TYPE_CHECKING:
    from pathlib import Path

    from ..data.benchmark import Benchmark
    from ..evaluate import BenchmarkVectors

DataOption = Annotated[
    list[str] | None, Option("A benchmark: BEIR folder, its name under $XETRIEVAL_DATA, or irds:NAME; may be repeated.")
]


@dataclass(frozen=True)
class BenchmarkOptions:
    """The fields are the options."""

    data: DataOption = None
    encoder: Annotated[str | None, Option("With --data: the encoder of its texts.")] = None
    cache: CacheOption = None
    skip_bad: SkipBad = False

    def read(self) -> list[Benchmark]:
        """Read the benchmarks, before any work.

        Raises:
            InputError: --data without --encoder, or a benchmark cannot be read.
        """
        check_options("benchmarks", {"data": self.data, "encoder": self.encoder, "skip_bad": self.skip_bad})
        return read_benchmarks(self.data or [], None, skip_bad=self.skip_bad)

    def encode(self, benchmarks: list[Benchmark]) -> list[tuple[Benchmark, BenchmarkVectors]]:
        """The benchmarks, each with the vectors of its texts."""
        from ..encoders import CachedEncoder
        from ..evaluate import benchmark_vectors

        if self.encoder is None:
            return []
        with progress_bar() as progress:
            encoder = CachedEncoder(named_encoder(self.encoder), self.cache, progress)
            return [(benchmark, benchmark_vectors(benchmark, encoder)) for benchmark in benchmarks]


def read_benchmarks(names: list[str], output: Path | None, *, skip_bad: bool) -> list[Benchmark]:
    """Read benchmarks and report what they lack. Unusable rows are listed in a file beside `output`."""
    from ..data.benchmark import open_benchmark

    skipped = skipped_rows(skip_bad=skip_bad)
    benchmarks = [open_benchmark(name, skipped) for name in names]
    report_skipped(skipped, output)
    print_messages(f"{benchmark.name}: {note}" for benchmark in benchmarks for note in benchmark.notes)
    return benchmarks
