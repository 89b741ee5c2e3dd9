"""How long `xetrieval index remove-features` takes, and its memory -> remove_features.json

    python -m benchmarks.remove_features INDEX WORK       INDEX: a folder of any index, best one of a million documents

Ten features with the most documents are removed; the new index is written to WORK and removed again. No text is
encoded: the vectors are edited, all views predicted, and all codes made again.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import time
from pathlib import Path

import numpy as np

from benchmarks.index_million import rss_anonymous
from paper.kit.results import as_json
from xetrieval.index import open_index, remove_features
from xetrieval.index.build.verify import folder_bytes
from xetrieval.steer import SteeringProfile

FEATURES = 10
RESULT = Path(__file__).with_suffix(".json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("work", type=Path)
    given = parser.parse_args()
    index, output = open_index(given.index), given.work / "without"
    gone = np.argsort(-index.frequency)[:FEATURES].tolist()
    profile = SteeringProfile(dict.fromkeys(gone, 0.0), index.explainer.sae.digest, kind="project")
    shutil.rmtree(output, ignore_errors=True)
    most = 0

    def progress(stage: str, done: int, total: int, note: str) -> None:
        nonlocal most
        most = max(most, rss_anonymous())

    started, used = time.perf_counter(), time.process_time()
    remove_features(given.index, profile, output, progress)
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
