"""How long proposals take, harm included: `index.push_down` of hit 3 and `index.bring_up` of hit 20 -> steer_push.json

    python -m benchmarks.steer_push INDEX       INDEX: a folder of any index, best one of 100,000 documents

Queries are vectors of the index, moved a little: encoding them is left out.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from pathlib import Path

import numpy as np

from paper.kit.results import as_json
from xetrieval.index import open_index

QUERIES = 20
RESULT = Path(__file__).with_suffix(".json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path)
    index = open_index(parser.parse_args().index)
    rng = np.random.default_rng(0)
    q = index.vectors(rng.choice(index.alive, QUERIES, replace=False))
    noise = rng.standard_normal(q.shape).astype(np.float32)
    q += 0.4 * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    times: dict[str, list[float]] = {"push_down": [], "bring_up": []}
    index.push_down(q[0], index.search(q[0], 3)[2].doc_id)  # files are mapped
    for query in q:
        for name, place in (("push_down", 2), ("bring_up", 19)):
            doc_id = index.search(query, place + 1)[place].doc_id
            started = time.perf_counter()
            getattr(index, name)(query, doc_id)
            times[name].append(time.perf_counter() - started)
    record = {
        "machine": f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}",
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "documents": len(index),
        "features": index.manifest.features,
        "seconds": {
            name: {"median": round(float(np.median(some)), 3), "longest": round(max(some), 3)}
            for name, some in times.items()
        },
    }
    RESULT.write_text(as_json(record))
    print(record)


if __name__ == "__main__":
    main()
