"""Time explaining as the corpus grows, from vectors that exist already; prints JSON records.

    python -m paper.studies.efficiency --data DIR [--explainer NAME] [--sizes 1000,3000,10000]

`python -m paper --only fig6` draws the paper's figure, with a language model and the release's way beside it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console

import xetrieval
from paper.kit.efficiency import EfficiencyConfig, efficiency
from xetrieval.data.benchmark import open_benchmark, sample_benchmark
from xetrieval.errors import InputError, XetrievalError
from xetrieval.evaluate import benchmark_vectors


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, action="append", help="BEIR folder, or its name in $XETRIEVAL_DATA")
    parser.add_argument("--explainer", default="minilm")
    parser.add_argument("--queries", type=int, help="how many queries to sample")
    parser.add_argument("--documents", type=int, help="how many documents to sample")
    parser.add_argument("--sizes", default="1000,3000,10000", help="numbers of documents, separated by commas")
    parser.add_argument("--seconds-per-text", type=float, help="how long a language model takes for one text")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, help="where vectors are cached")
    given = parser.parse_args(arguments)
    try:
        json.dump(measure(given), sys.stdout, indent=1)
    except XetrievalError as error:
        Console(stderr=True, highlight=False).print(f"error: {error}", markup=False, soft_wrap=True)
        return 2
    return 0


def measure(given: argparse.Namespace) -> list[dict[str, object]]:
    """The records of every benchmark."""
    if not all(part.strip().isdigit() for part in given.sizes.split(",")):
        raise InputError(f"--sizes {given.sizes!r}: give whole numbers separated by commas, e.g. 1000,10000")
    sizes = tuple(map(int, given.sizes.split(",")))
    config = EfficiencyConfig(sizes, seconds_per_text=given.seconds_per_text, seed=given.seed)
    explainer = xetrieval.load(given.explainer, cache=given.cache or True)
    records: list[dict[str, object]] = []
    for name in given.data:
        benchmark = sample_benchmark(open_benchmark(name), given.queries, given.documents, given.seed)
        records += efficiency(explainer, benchmark, benchmark_vectors(benchmark, explainer.encoder), config)
    return records


if __name__ == "__main__":
    sys.exit(main())
