"""Do displayed shares put a query's hits in their order? The eight sets, by their own and by the shipped dictionary.

    XETRIEVAL_DATA=DIR python -m paper.studies.own_names index --cache DIR --work DIR
    XETRIEVAL_DATA=DIR python -m paper.studies.listwise --cache DIR --work DIR -> results/listwise.json

Up to 200 queries of each set, their best 10 and 100 documents; untrained directions are those of
`xetrieval.explain.untrained`, with the F and the activation rule of each dictionary.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

import xetrieval
from paper.studies.minilm import RESULTS
from paper.studies.own_corpora import LARGEST, encoder_in
from paper.studies.own_names import benchmark_of
from xetrieval.evaluate import benchmark_vectors
from xetrieval.evaluate.listwise import list_agreement
from xetrieval.evaluate.vectors import ranking

OUTPUT: Final = RESULTS / "listwise.json"
DEPTH: Final = 100
QUERIES: Final = 200


def measured(name: str, cache: Path, work: Path) -> dict[str, Any]:
    benchmark, encoder = benchmark_of(name), encoder_in(cache)
    vectors = benchmark_vectors(benchmark, encoder)
    ranked = ranking(benchmark, vectors, DEPTH)
    rows = np.sort(np.random.default_rng(0).permutation(len(ranked))[:QUERIES])
    found: dict[str, Any] = {"documents": len(vectors.documents)}
    for kind, folder in (("own", str(work / name / "explainer")), ("shipped", "minilm")):
        explainer = xetrieval.load(folder, encoder)
        lists = []
        for row in rows:
            z = vectors.documents[ranked[row][ranked[row] >= 0]]
            lists.append((vectors.queries[row], z, explainer.codes(z)))
        found[kind] = [asdict(one) for one in list_agreement(explainer.sae, vectors.documents, lists)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    given = parser.parse_args()
    found = {name: measured(name, given.cache, given.work) for name in LARGEST}
    lines = [f'"{name}": {json.dumps(record)}' for name, record in found.items()]
    OUTPUT.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
