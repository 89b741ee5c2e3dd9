"""How well are the encoder's own vectors reconstructed, and those of other models? Basis of the foreign-vector check.

    python -m paper.studies.foreign_vectors DATA [NAME=VECTORS.npy ...] > paper/studies/results/foreign_vectors.json

DATA has benchmarks in the BEIR layout: 200 documents and 60 queries of each are read with the shipped explainer's
encoder. Further files are other models' vectors, of the same dimension.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import numpy as np

import xetrieval
from paper.kit.results import as_json
from xetrieval.arrays import as_vectors, l2norm
from xetrieval.data.benchmark import read_benchmark
from xetrieval.encoders import read_texts
from xetrieval.explain.foreign import likeness

DOCUMENTS, QUERIES = 200, 60
SMALL = (1, 4, 16)  # rows of a small sample, drawn 200 times


def figures(explainer: Any, x: Any) -> dict[str, Any]:
    """Figures of all rows, and the fraction of small samples that would be flagged."""
    unit = np.asarray(l2norm(as_vectors(x)), np.float32)
    found, rng = likeness(explainer, unit), np.random.default_rng(0)
    assert found is not None
    flagged = {}
    for rows in SMALL:
        some = [likeness(explainer, unit[rng.permutation(len(unit))[:rows]]) for _ in range(200)]
        flagged[str(rows)] = round(float(np.mean([one is not None and one.foreign for one in some])), 3)
    return {
        "rows": found.rows,
        "cosine": round(found.cosine, 3),
        "fvu": round(found.fvu, 3),
        "limit": round(found.limit, 3),
        "foreign": found.foreign,
        "flagged_of_small_samples": flagged,
    }


def main() -> None:
    data, *others = sys.argv[1:]
    explainer = xetrieval.load("minilm")
    own: dict[str, Any] = {}
    everything = []
    for folder in sorted(path for path in Path(data).iterdir() if (path / "qrels").is_dir()):
        benchmark, draw = read_benchmark(folder), random.Random(0)
        documents = draw.sample([d.text for d in benchmark.documents], min(DOCUMENTS, len(benchmark.documents)))
        queries = draw.sample(benchmark.queries, min(QUERIES, len(benchmark.queries)))
        z = read_texts(explainer.encoder, documents, "document").vectors
        everything.append(z)
        q = read_texts(explainer.encoder, queries, "query").vectors
        own[folder.name] = {"documents": figures(explainer, z), "queries": figures(explainer, q)}
        sys.stderr.write(f"{folder.name}\n")
    rows = np.concatenate(everything)
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.normal(size=(rows.shape[1], rows.shape[1])))[0]
    foreign = {
        "rotated": figures(explainer, rows @ rotation),
        "dimensions permuted": figures(explainer, rows[:, rng.permutation(rows.shape[1])]),
        "signs turned": figures(explainer, -rows),
        "random": figures(explainer, rng.standard_normal((500, rows.shape[1]))),
    }
    for other in others:
        name, path = other.split("=", 1)
        foreign[name] = figures(explainer, np.load(path))
    found = likeness(explainer, rows)
    assert found is not None
    facts = {"explainer": explainer.name, "card": round(found.card, 3), "random": round(found.random, 3)}
    sys.stdout.write(as_json({**facts, "own": own, "others": foreign}))


if __name__ == "__main__":
    main()
