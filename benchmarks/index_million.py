"""One million documents: build, open, search with explanations, size, memory -> index_million.json

    index_million.py --vectors V.npy --work DIR [--rows 1000000] [--sae DIR]

V.npy has real vectors of the shipped explainer's encoder; they are repeated with noise up to the rows asked for.
All figures of a record are from one run; queries are vectors of V moved a little: encoding them is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import xetrieval
from xetrieval.explain import Explainer
from xetrieval.features import Feature
from xetrieval.index import BuildConfig, Corpus, build_index, open_index
from xetrieval.index.build.verify import folder_bytes
from xetrieval.index.search.engines.quantised import open_copies
from xetrieval.index.search.nearest import accelerate
from xetrieval.index.search.sparse import idf
from xetrieval.sae import SparseAutoencoder

QUERIES = 60
RESULT = Path(__file__).with_suffix(".json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", nargs="?", choices=("all", "build", "open", "search"), default="all")
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--sae", type=Path, help="another autoencoder than the shipped one's, e.g. F = 3072, k = 64")
    parser.add_argument("--output", type=Path, default=RESULT)
    given = parser.parse_args()
    if given.task != "all":
        print(json.dumps({"build": build, "open": opened, "search": search}[given.task](given)))
        return
    given.work.mkdir(parents=True, exist_ok=True)
    explainer = made_explainer(given)
    rows = repeated(given.vectors, given.work / "vectors.npy", given.rows)
    shutil.rmtree(given.work / "index", ignore_errors=True)
    record: dict[str, Any] = {
        "machine": f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}",
        "rows": rows,
        "dimension": explainer.sae.dimension,
        "features": explainer.sae.features,
        "k": explainer.sae.k,
        "views": list(explainer.views),
        "floor_rows_per_second": floor(explainer, given.work / "vectors.npy"),
        "stages_seconds_per_1000": stages(explainer, given.work / "vectors.npy"),
    }
    record["build"] = again("build")
    record["build"]["share_of_floor"] = round(record["build"]["rows_per_second"] / record["floor_rows_per_second"], 3)
    record["open_ms"] = sorted(again("open")["ms"] for _ in range(5))
    record["search"] = again("search")
    path = given.output
    known = json.loads(path.read_text()) if path.is_file() else []
    known = [r for r in known if (r["rows"], r["features"]) != (record["rows"], record["features"])]
    path.write_text(json.dumps([*known, record], indent=1) + "\n")
    print(json.dumps(record, indent=1))


def again(task: str) -> dict[str, Any]:
    """Run this script with one task in its own process."""
    environment = {**os.environ, "OPENBLAS_THREAD_TIMEOUT": "10"}  # as the command line sets it
    done = subprocess.run(
        [sys.executable, __file__, task, *sys.argv[1:]], capture_output=True, text=True, env=environment
    )
    if done.returncode:
        sys.exit(done.stderr)
    out: dict[str, Any] = json.loads(done.stdout)
    return out


def made_explainer(given: argparse.Namespace) -> Explainer:
    explainer = xetrieval.load("minilm")
    if given.sae is not None:
        sae = SparseAutoencoder.load(given.sae)
        features = tuple(Feature(i, None, None, 0.0) for i in range(sae.features))
        explainer = replace(explainer, sae=sae, features=features, families=())
    explainer.save(given.work / "explainer", overwrite=True)
    return xetrieval.load(given.work / "explainer")


def repeated(source: Path, target: Path, rows: int) -> int:
    real = np.load(source, mmap_mode="r")
    out = np.lib.format.open_memmap(target, "w+", np.float32, (rows, real.shape[1]))
    rng = np.random.default_rng(0)
    for start in range(0, rows, 1 << 15):
        size = min(1 << 15, rows - start)
        block = np.array(real[np.arange(start, start + size) % len(real)], np.float32)
        if start + size > len(real):
            noise = rng.standard_normal(block.shape, np.float32)
            block += 0.3 * noise / np.linalg.norm(noise, axis=1, keepdims=True)
        out[start : start + size] = block / np.linalg.norm(block, axis=1, keepdims=True)
    out.flush()
    return rows


def floor(explainer: Explainer, vectors: Path) -> int:
    """Rows a second of the matrix products alone: internalizers, and scores of four views."""
    x = np.array(np.load(vectors, mmap_mode="r")[:8192])
    sae = explainer.sae
    times = []
    for _ in range(5):
        started = time.perf_counter()
        for net in explainer.internalizers.values():
            (x @ net.w1.T) @ net.w2.T
        for _ in explainer.views:
            x @ sae.encoder_weight.T
        times.append(time.perf_counter() - started)
    return round(len(x) / float(np.median(times)))


def stages(explainer: Explainer, vectors: Path) -> dict[str, float]:
    z = np.array(np.load(vectors, mmap_mode="r")[:8192])
    views = explainer.reasoned(z)
    work = {
        "reason": lambda: explainer.reasoned(z),
        "decompose": lambda: [explainer.sae.encode(view, bulk=True) for view in views],
    }
    out = {}
    for name, run in work.items():
        run()
        started = time.perf_counter()
        run()
        out[name] = round((time.perf_counter() - started) / 8.192, 4)
    return out


def build(given: argparse.Namespace) -> dict[str, Any]:
    explainer = xetrieval.load(given.work / "explainer")
    times: dict[str, float] = {}

    anonymous = 0

    def progress(stage: str, done: int, total: int, note: str) -> None:
        nonlocal anonymous
        times.setdefault(stage, time.perf_counter())
        anonymous = max(anonymous, rss_anonymous())

    started = time.perf_counter()
    built = build_index(
        Corpus((), vectors=given.work / "vectors.npy"),
        explainer,
        given.work / "index",
        BuildConfig(dictionary="shipped"),
        progress,
    )
    seconds = time.perf_counter() - started
    size = folder_bytes(given.work / "index")
    return {
        "seconds": round(seconds, 1),
        "seconds_reading_through": round(times["index"] - started, 1),
        "rows_per_second": round(built.documents / seconds),
        "bytes": size,
        "bytes_per_document": round(size / built.documents),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "peak_mib_without_mapped_files": anonymous >> 10,
        "block": BuildConfig().block or 8192,
    }


def rss_anonymous() -> int:
    """kB of this process without pages of mapped files; 0 if the system does not report it."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)


def opened(given: argparse.Namespace) -> dict[str, Any]:
    explainer = xetrieval.load(given.work / "index" / "explainer")  # read once, whatever is opened with it
    started = time.perf_counter()
    index = open_index(given.work / "index", explainer)
    assert len(index) == given.rows
    return {"ms": round(1000 * (time.perf_counter() - started), 2)}


def search(given: argparse.Namespace) -> dict[str, Any]:
    index = open_index(given.work / "index")
    real = np.load(given.vectors, mmap_mode="r")
    rng = np.random.default_rng(1)
    q = np.array(real[np.sort(rng.choice(len(real), QUERIES, replace=False))], np.float32)
    noise = rng.standard_normal(q.shape).astype(np.float32)
    q += 0.4 * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    out: dict[str, Any] = {"queries": QUERIES, "hits_explained": 10}
    assert index.companion(open_copies) is None, "the exact scan is timed without the 8-bit copy"
    exact = timed(index, q, out, "exact_fp32")
    out["coarse_bytes"] = accelerate(index, "quantised").bytes
    index = open_index(given.work / "index")
    quantised = timed(index, q, out, "coarse_scan_exact")
    assert all(a == b for a, b in zip(exact, quantised, strict=True)), "the 8-bit scan found others"
    started = time.perf_counter()
    made = accelerate(index, "faiss")
    out["faiss_made"] = made._asdict() | {"seconds": round(time.perf_counter() - started, 1)}
    found = timed(index, q, out, "faiss")
    out["faiss"]["recall_at_10"] = round(
        float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact, found, strict=True)])), 4
    )
    for path in index.folder.glob("faiss-*.index"):
        path.rename(path.with_suffix(".off"))
    timed(index, q, out, "concept_sparse", by="sparse")
    out["concept_sparse_python_ms"] = in_python(index, q[:5])
    out["peak_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return out


def timed(index: Any, q: Any, out: dict[str, Any], name: str, **options: Any) -> list[list[int]]:
    """Milliseconds of a search and ten explanations, the first fifth of the queries as warm-up."""
    rows, took, alone = [], [], []
    for vector in q:
        started = time.perf_counter()
        hits = index.search(vector, 10, **options)
        alone.append(time.perf_counter() - started)
        for hit in hits:
            hit.explanation.to_dict()
        took.append(time.perf_counter() - started)
        rows.append([hit.row for hit in hits])
    kept = slice(len(q) // 5, None)
    figures = [1000 * np.array(values[kept]) for values in (took, alone)]
    out[name] = {
        "ms_median": round(float(np.median(figures[0])), 2),
        "ms_p95": round(float(np.quantile(figures[0], 0.95)), 2),
        "search_alone_ms_median": round(float(np.median(figures[1])), 2),
    }
    return rows


def in_python(index: Any, q: Any) -> float:
    """The same sparse scores by dictionaries and loops, as a first implementation would have them."""
    weights = idf(index)
    postings = {}
    took = []
    for vector in q:
        codes = index.explainer.sae.encode(vector[None])
        query = dict(zip(codes.features[0].tolist(), codes.values[0].tolist(), strict=True))
        for feature in query:
            if feature not in postings:
                rows, values = index.postings(feature)
                postings[feature] = list(zip(rows.tolist(), values.tolist(), strict=True))
        started = time.perf_counter()
        scores: dict[int, float] = {}
        for feature, activation in query.items():
            weight = activation * weights[feature]
            for row, value in postings[feature]:
                scores[row] = scores.get(row, 0.0) + weight * value
        best = sorted(scores.items(), key=lambda item: -item[1])[:10]
        took.append(time.perf_counter() - started)
        ours = [hit.row for hit in index.search(vector, 10, "sparse")]
        assert [row for row, _ in best] == ours
    return round(1000 * float(np.median(took)), 1)


if __name__ == "__main__":
    main()
