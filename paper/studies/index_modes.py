"""Every search mode, on the shared benchmarks -> results/index_modes.json

    python -m paper.studies.index_modes --work DIR [DATASET ...]

NDCG@10 of the encoder's own ranking, with views, by concept-level sparse retrieval, BM25 and the hybrid of both; with
the report of `xetrieval doctor` on that corpus.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

import xetrieval
from paper.kit.results import as_json
from paper.studies.minilm import RESULTS, UNSEEN, data
from xetrieval.data.benchmark import Benchmark, own_rows, read_benchmark, sample_benchmark
from xetrieval.encoders import CachedEncoder, open_encoder
from xetrieval.evaluate import benchmark_vectors
from xetrieval.evaluate.doctor import checkup
from xetrieval.evaluate.retrieval import ndcg10_of_rankings
from xetrieval.index import BuildConfig, Corpus, Index, build_index, open_index
from xetrieval.index.search.ranking import Query, rank

DATASETS = (*UNSEEN, "nq-qed", "stackexchange-qa", "medquad")
MODES: dict[str, dict[str, Any]] = {
    "dense": {},
    "views, weight 1 each": {"weights": {"qa": 1.0, "summary": 1.0, "purpose": 1.0}},
    "concept-level sparse": {"by": "sparse"},
    "BM25": {"by": "bm25"},
    "hybrid": {"by": "hybrid"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="*", default=list(DATASETS))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=400, help="how many queries to sample")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    given = parser.parse_args()
    records = []
    for name in track(given.datasets, "modes"):
        benchmark = sample_benchmark(read_benchmark(data() / name), given.queries)
        index, queries = indexed(benchmark, name, given)
        record: dict[str, Any] = {
            "dataset": name,
            "unseen_in_training": name in UNSEEN,
            "documents": len(index),
            "queries": len(queries),
        }
        for mode, options in MODES.items():
            started = time.perf_counter()
            record[mode] = round(100 * ndcg(index, benchmark, queries, options), 2)
            record[f"{mode}, ms"] = round(1000 * (time.perf_counter() - started) / len(benchmark.queries), 2)
        judged = [benchmark.judgments[query] for query in benchmark.query_ids]
        found = checkup(index, queries, judged).to_dict()
        record["doctor"] = {key: value for key, value in found.items() if key != "failing"}
        records.append(record)
        (RESULTS / "index_modes.json").write_text(as_json(records))
    table = Table("dataset", *MODES, title="NDCG@10")
    for record in records:
        table.add_row(record["dataset"], *(f"{record[mode]:.1f}" for mode in MODES))
    table.add_row("mean", *(f"{np.mean([record[mode] for record in records]):.1f}" for mode in MODES))
    Console(width=120).print(table)


def indexed(benchmark: Benchmark, name: str, given: argparse.Namespace) -> tuple[Index, Any]:
    """The index of a benchmark's documents, from cached vectors, and the vectors of its queries."""
    encoder = CachedEncoder(open_encoder("minilm", precision=given.precision))
    vectors = benchmark_vectors(benchmark, encoder)
    given.work.mkdir(parents=True, exist_ok=True)
    np.save(given.work / f"{name}.npy", vectors.documents)
    corpus = Corpus((data() / name,), vectors=given.work / f"{name}.npy")
    build_index(corpus, xetrieval.load("minilm"), given.work / name, BuildConfig(dictionary="shipped"))
    return open_index(given.work / name), vectors.queries


def ndcg(index: Index, benchmark: Benchmark, queries: Any, options: dict[str, Any]) -> float:
    """NDCG@10 without the query's own document."""
    ranked = []
    for text, vector, own in zip(benchmark.queries, queries, own_rows(benchmark), strict=True):
        rows = rank(index, Query(text, vector, **options), 11).rows.tolist()
        ranked.append([index.document(row).id for row in rows if row != own][:10])
    return float(ndcg10_of_rankings([benchmark.judgments[query] for query in benchmark.query_ids], ranked).mean())


if __name__ == "__main__":
    main()
