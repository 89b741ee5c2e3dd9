"""How fast are explanations, once vectors and codes exist? -> explain_speed.json

Clustered random vectors, an untrained autoencoder of the size asked about, four views. The top 100 of a query: shared
features, shares, the sum rule checked. 10,000 pairs: the whole measurement of one set of `evaluate intervention`, that
is attribution, erase and keep-only.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from xetrieval.arrays import Float32, l2norm
from xetrieval.explain import attribute, overlap
from xetrieval.sae import SparseAutoencoder
from xetrieval.sae.projection import FeatureSets
from xetrieval.steer import erase_and_keep

SIZES = ((384, 841, 24), (384, 3072, 64), (1024, 8192, 256))
REPEATS = 31
PAIRS = 10_000


def main() -> None:
    records = [measure(*size) for size in SIZES]
    facts = {"protocol": __doc__, "cpus": os.cpu_count(), "machine": platform.machine(), "records": records}
    Path(__file__).with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n")
    for record in records:
        print(record)


def measure(dimension: int, features: int, k: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    directions = l2norm(rng.standard_normal((features, dimension))).astype(np.float32)
    bias = rng.normal(0, 0.02, dimension).astype(np.float32)
    sae = SparseAutoencoder(directions, np.zeros(features, np.float32), np.ascontiguousarray(directions.T), bias, k)
    topic = rng.standard_normal((1, dimension))
    q = near(rng, topic, REPEATS)
    views = [near(rng, topic, 100) for _ in range(4)]
    codes, query = [sae.encode(view) for view in views], sae.encode(q)
    top, sizes = [], []
    for i in range(REPEATS):
        one = query.rows(np.full(100, i))
        vectors = np.repeat(q[i : i + 1], 100, axis=0)
        start = time.perf_counter()
        shared = overlap(one, codes, features)
        attribute(vectors, views[0], sae.directions, sae.decoder_bias, FeatureSets(shared.starts, shared.features))
        top.append(time.perf_counter() - start)
        sizes.append(float(shared.sizes.mean()))
    return {
        "m": dimension,
        "F": features,
        "k": k,
        "shared_features": round(statistics.mean(sizes), 1),
        "top_100_ms": round(1000 * statistics.median(top), 2),
        "top_100_ms_worst": round(1000 * max(top), 2),
        "pairs_10000_s": round(ten_thousand(sae, rng, topic), 2),
    }


def ten_thousand(sae: SparseAutoencoder, rng: np.random.Generator, topic: Any) -> float:
    q, z = near(rng, topic, PAIRS), near(rng, topic, PAIRS)
    query, codes = sae.encode(q), [sae.encode(z)]
    start = time.perf_counter()
    shared = overlap(query, codes, sae.features)
    sets = FeatureSets(shared.starts, shared.features)
    attribute(q, z, sae.directions, sae.decoder_bias, sets)
    erase_and_keep(sae, z, sets)
    return time.perf_counter() - start


def near(rng: np.random.Generator, topic: Any, rows: int) -> Float32:
    """Unit vectors around one topic, so that they share about a third of their features."""
    return np.asarray(l2norm(topic + rng.standard_normal((rows, topic.shape[1]))), np.float32)


if __name__ == "__main__":
    main()
