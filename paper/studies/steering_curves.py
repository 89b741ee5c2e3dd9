"""Steering, the paper's way (section 10, Fig. 8), with the controls it lacks -> results/steering.json, steering.png

    python -m paper.studies.steering_curves --work DIR
        DIR: that of control_saes.py, with reasoned-3072 and raw-3072
    python -m paper.studies.steering_curves --mpnet MODEL --mpnet-explainer DIR --mpnet-raw DIR

Key features by RUS, found on one half of the queries and used on the other; 1/32 and 1/8 of the features (96 and 384 of
3,072). Controls: uninformative features, features of similar frequency, and the key features of a raw autoencoder.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.progress import track

import xetrieval
from paper.kit.figures import draw_steering
from paper.kit.results import as_json
from paper.studies.fit_mpnet import SETS
from paper.studies.minilm import RESULTS, UNSEEN, data
from xetrieval.data.benchmark import read_benchmark, sample_benchmark
from xetrieval.encoders import CachedEncoder, open_encoder
from xetrieval.evaluate import SteeringConfig, benchmark_vectors, steering
from xetrieval.sae import SparseAutoencoder

DATASETS = (*UNSEEN, "nq-qed", "stackexchange-qa")
SHARES = (1 / 32, 1 / 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="MiniLM's autoencoders")
    parser.add_argument("--mpnet", help="folder of all-mpnet-base-v2")
    parser.add_argument("--mpnet-explainer", type=Path)
    parser.add_argument("--mpnet-raw", type=Path)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    given = parser.parse_args()
    path = RESULTS / "steering.json"
    records: list[dict[str, Any]] = json.loads(path.read_text()) if path.is_file() else []
    if given.work is not None:
        records = [record for record in records if record["encoder"] != "minilm"]
        ours, raw = (SparseAutoencoder.load(given.work / name) for name in ("reasoned-3072", "raw-3072"))
        encoder = CachedEncoder(open_encoder("minilm", precision=given.precision))
        records += measure("minilm", [(name, None, None) for name in DATASETS], encoder, ours, raw)
        path.write_text(as_json(records))
    if given.mpnet is not None:
        records = [record for record in records if record["encoder"] != "all-mpnet-base-v2"]
        ours = xetrieval.load(given.mpnet_explainer).sae
        encoder = CachedEncoder(open_encoder(given.mpnet, precision=given.precision))
        records += measure("all-mpnet-base-v2", list(SETS), encoder, ours, SparseAutoencoder.load(given.mpnet_raw))
        path.write_text(as_json(records))
    draw_steering(records, RESULTS / "steering.png")


def measure(name: str, sets: list[Any], encoder: CachedEncoder, ours: Any, raw: Any) -> list[dict[str, Any]]:
    out = []
    for dataset, queries, documents in track(sets, name):
        benchmark = sample_benchmark(read_benchmark(data() / dataset), queries, documents)
        vectors = benchmark_vectors(benchmark, encoder)
        for share in SHARES:
            for record in steering(ours, benchmark, vectors, SteeringConfig(fraction=share), raw):
                out.append(
                    {
                        "encoder": name,
                        "features": ours.features,
                        "most_features": round(share * ours.features),
                        "unseen_in_training": dataset in UNSEEN,
                        **asdict(record),
                    }
                )
    return out


if __name__ == "__main__":
    main()
