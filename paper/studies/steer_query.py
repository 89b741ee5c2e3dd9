"""Do the query form of a removal and the removal with unit vectors rank alike? -> results/steer_query.json

    python -m paper.studies.steer_query --work DIR [DATASET ...]

DIR has an index per dataset (`xetrieval index build` on its corpus, with features of its own) in a folder of that name.
For each of up to 60 judged queries, 1, 3, 10 and 30 features are removed: at random among those that the query shares
with its first hit, then others of the query. Top 10 of <q, z'>, by the query form, and of <q, z'> / ||z'||.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console

from paper.kit.results import as_json
from paper.studies.minilm import RESULTS, data
from xetrieval.arrays import Float64
from xetrieval.data.benchmark import read_benchmark, sample_benchmark
from xetrieval.evaluate.retrieval import ndcg10_of_rankings
from xetrieval.index import Index, open_index
from xetrieval.steer import Removal
from xetrieval.steer.trials import best_places

SETS = ("arguana", "cacm", "climate-fever-evidence", "english-dup", "mutual", "scifact", "stackexchange-qa", "vaswani")
SIZES = (1, 3, 10, 30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="*", default=SETS)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=60)
    given = parser.parse_args()
    records = []
    for name in given.datasets:
        benchmark = sample_benchmark(read_benchmark(data() / name), given.queries)
        index = open_index(given.work / name)
        judged = [benchmark.judgments[query] for query in benchmark.query_ids]
        q = np.stack([index.query_vector(text)[0] for text in benchmark.queries])
        for size in SIZES:
            records.append({"dataset": name, "features": size, **compared(index, q, judged, size)})
            Console().print(records[-1])
    for size in SIZES:
        rows = [record for record in records if record["features"] == size]
        means = {
            key: round(float(np.mean([row[key] for row in rows])), 3) for key in rows[0] if key not in ("dataset",)
        }
        records.append({"dataset": "mean", **means})
    (RESULTS / "steer_query.json").write_text(as_json(records))


def compared(index: Index, q: Float64, judged: list[dict[str, int]], size: int) -> dict[str, float]:
    """Overlap of the two top tens, of each with the plain one, what rises though its removed part is positive, NDCG."""
    rng = np.random.default_rng(size)
    z, sae = index.vectors(index.alive), index.explainer.sae
    ids = [index.document(row).id for row in index.alive.tolist()]
    z64, codes, own = z.astype(np.float64), index.codes(index.alive, "original"), sae.encode(q)
    overlaps, kept, rises, tops = [], [], [], {"query form": [], "unit vectors": []}
    for row, query in enumerate(q.astype(np.float64)):
        plain = z64 @ query
        shared = np.intersect1d(own.support(row), codes.support(int(plain.argmax())))
        rest = np.setdiff1d(own.support(row), shared)
        order = [*rng.permutation(shared), *rng.permutation(rest), *rng.permutation(sae.features)]
        chosen = list(dict.fromkeys(int(j) for j in order if not sae.retired[j]))[:size]
        removal = Removal.of(sae, dict.fromkeys(chosen, 0.0))
        edited = removal.edit(z64)
        scores = edited @ query
        unit = scores / np.linalg.norm(edited, axis=1)
        before, first, second = (best_places(one[None], 10)[0] for one in (plain, scores, unit))
        overlaps.append(len(np.intersect1d(first, second)) / 10)
        kept.append(len(np.intersect1d(before, first)) / 10)
        hundred = best_places(plain[None], 100)[0]
        fell = hundred[scores[hundred] < plain[hundred]]
        rises.append(float((unit[fell] > plain[fell]).mean()) if len(fell) else 0.0)
        for name, top in (("query form", first), ("unit vectors", second)):
            tops[name].append([ids[place] for place in top])
    ndcg = {name: round(100 * float(ndcg10_of_rankings(judged, ranked).mean()), 2) for name, ranked in tops.items()}
    figures = {"overlap": overlaps, "same as plain": kept, "rises though its removed part is positive": rises}
    return {name: round(float(np.mean(values)), 3) for name, values in figures.items()} | {
        f"NDCG@10, {name}": value for name, value in ndcg.items()
    }


if __name__ == "__main__":
    main()
