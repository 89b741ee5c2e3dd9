"""Do projection, few features or a loss of pairs make learned profiles help? -> results/steer_learned.json

    python -m paper.studies.steer_learned --work DIR [DATASET ...]

DIR has an index per dataset, with features of its own; see steer_query.py. `xetrieval steer suggest` in each form, on a
seeded sample of the queries; each query is ranked with a profile learned without it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console

from paper.kit.results import as_json
from paper.studies.minilm import RESULTS, data
from paper.studies.steer_query import SETS
from xetrieval.configs import SuggestConfig
from xetrieval.data.benchmark import own_rows, read_benchmark, sample_benchmark
from xetrieval.evaluate.suggest import suggest
from xetrieval.index import open_index

FEW = (1, 3)
FORMS = {
    "scale": SuggestConfig(),
    "project": SuggestConfig(kind="project"),
    "project, few features": SuggestConfig(kind="project", features=FEW),
    "project, few features, pairs": SuggestConfig(kind="project", loss="pairs", features=FEW),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="*", default=SETS)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=150)
    given = parser.parse_args()
    records = []
    for name in given.datasets:
        benchmark = sample_benchmark(read_benchmark(data() / name), given.queries)
        index = open_index(given.work / name)
        q = np.stack([index.query_vector(text)[0] for text in benchmark.queries])
        judged = [benchmark.judgments[query] for query in benchmark.query_ids]
        own = [None if row is None else benchmark.documents[row].id for row in own_rows(benchmark)]
        for form, config in FORMS.items():
            made = suggest(index, q, judged, config, name, own=own)
            records.append({"dataset": name, "form": form, **made.to_dict(), "choices": made.choices[-1]})
            Console().print(name, form, made.sentence())
            (RESULTS / "steer_learned.json").write_text(as_json(records))


if __name__ == "__main__":
    main()
