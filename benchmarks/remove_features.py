"""How long `xetrieval index remove-features` takes on a million documents, and its memory -> remove_features.json

    python -m benchmarks.remove_features --vectors V.npy --work DIR

V.npy has real vectors of the shipped explainer's encoder; they are repeated with noise up to 62,500 rows. The index of
a million documents is that of these rows, sixteen times. The ten features with the most documents are removed; no text
is encoded: the vectors are edited, all views predicted, and all codes made again.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import xetrieval
from benchmarks.index_million import repeated, rss_anonymous
from paper.kit.results import as_json
from xetrieval.index import BuildConfig, Corpus, build_index, open_index, remove_features
from xetrieval.index.build.pipeline import write_manifest_with
from xetrieval.index.build.verify import folder_bytes
from xetrieval.index.store.manifest import read_index_manifest
from xetrieval.steer import SteeringProfile

FEATURES, ROWS, TIMES = 10, 62_500, 16
RESULT = Path(__file__).with_suffix(".json")


def many_times(vectors: Path, work: Path) -> Path:
    """An index of `ROWS` documents with its shard repeated `TIMES` times, by hard links."""
    folder = work / "index"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    repeated(vectors, work / "vectors.npy", ROWS)
    corpus = Corpus((), vectors=work / "vectors.npy")
    build_index(corpus, xetrieval.load("minilm"), folder, BuildConfig(dictionary="shipped"))
    manifest = read_index_manifest(folder)
    (shard,) = manifest.shards
    names = [f"{number:06d}" for number in range(TIMES)]
    for name in names[1:]:
        shutil.copytree(folder / "shards" / shard["name"], folder / "shards" / name, copy_function=os.link)
    more = replace(manifest, shards=tuple({**shard, "name": name} for name in names))
    write_manifest_with(folder, more, np.empty(0, np.int64))
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    given = parser.parse_args()
    folder, output = many_times(given.vectors, given.work), given.work / "without"
    index = open_index(folder)
    gone = np.argsort(-index.frequency)[:FEATURES].tolist()
    profile = SteeringProfile(dict.fromkeys(gone, 0.0), index.explainer.sae.digest, kind="project")
    shutil.rmtree(output, ignore_errors=True)
    most = 0

    def progress(stage: str, done: int, total: int, note: str) -> None:
        nonlocal most
        most = max(most, rss_anonymous())

    started, used = time.perf_counter(), time.process_time()
    remove_features(folder, profile, output, progress)
    seconds, busy = time.perf_counter() - started, time.process_time() - used
    new = open_index(output)
    rows = np.sort(np.random.default_rng(0).permutation(new.alive)[:1000])
    expected = new.explainer.edited(index.vectors(rows))
    record = {
        "machine": f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}",
        "load_average": round(os.getloadavg()[0], 1),
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "documents": len(new),
        "dimension": index.manifest.dimension,
        "features_of_dictionary": index.manifest.features,
        "features_removed": FEATURES,
        "seconds": round(seconds, 1),
        "processor_seconds": round(busy, 1),
        "documents_per_second": round(len(new) / seconds),
        "bytes": folder_bytes(output),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "peak_mib_without_mapped_files": most >> 10,
        "largest_difference_of_1000_vectors": float(np.abs(new.vectors(rows) - expected).max()),
    }
    shutil.rmtree(output)
    RESULT.write_text(as_json(record))
    print(record)


if __name__ == "__main__":
    main()
