"""Does a learned steering profile help on queries it has not seen? -> results/steer_suggest.json

    python -m paper.studies.steer_suggest --work DIR [DATASET ...]    DIR: that of index_modes.py

`xetrieval steer suggest` on each benchmark, with a seeded sample of its queries; vectors come from the cache.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import track

from paper.kit.results import as_json
from paper.studies.index_modes import DATASETS, indexed
from paper.studies.minilm import RESULTS, UNSEEN, data
from xetrieval.configs import SuggestConfig
from xetrieval.data.benchmark import own_rows, read_benchmark, sample_benchmark
from xetrieval.evaluate.suggest import suggest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="*", default=[name for name in DATASETS if name != "medquad"])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    given = parser.parse_args()
    records = []
    for name in track(given.datasets, "suggest"):
        benchmark = sample_benchmark(read_benchmark(data() / name), given.queries)
        index, queries = indexed(benchmark, name, given)
        judged = [benchmark.judgments[query] for query in benchmark.query_ids]
        own = [None if row is None else benchmark.documents[row].id for row in own_rows(benchmark)]
        made = suggest(index, queries, judged, SuggestConfig(), name, own=own)
        records.append({"dataset": name, "unseen_in_training": name in UNSEEN, **made.to_dict()})
        Console().print(name, made.sentence())
        (RESULTS / "steer_suggest.json").write_text(as_json(records))


if __name__ == "__main__":
    main()
