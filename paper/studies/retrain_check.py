"""Would a new autoencoder explain better than the shipped one? -> results/retrain_check.json

    python -m paper.studies.retrain_check --work DIR --judge MODEL
        DIR: that of sae_sweep.py, with original.npy and reasoned.npy

The shipped autoencoder against candidates of its size, on corpora that none of them saw: FVU of documents, the pair-
level check, and the intruder score by another encoder's embeddings.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

import xetrieval
from paper.kit.results import as_json
from paper.studies.minilm import RESULTS, TRAINED_ON, data
from xetrieval.data import read_corpora
from xetrieval.data.benchmark import read_benchmark
from xetrieval.encoders import CachedEncoder, open_encoder
from xetrieval.evaluate import InterventionConfig, IntruderSample, benchmark_vectors, intervention, intruder_score
from xetrieval.features import Feature
from xetrieval.fitting.texts import training_texts
from xetrieval.labels.examples import top_examples
from xetrieval.sae import SparseAutoencoder
from xetrieval.sae.measure import evaluate_sae, reconstruction
from xetrieval.sae.train import SaeConfig, Stack, train_many

JUDGED_ON = ("arguana", "mutual", "scifact")
CANDIDATES = {
    "topk 16, used with 24": SaeConfig(features=1024, l0=16, inference_k=24),
    "topk 16, used with 24, rate of the shipped one": SaeConfig(
        features=1024, l0=16, inference_k=24, learning_rate=8e-4
    ),
    "batchtopk 24": SaeConfig(features=1024, l0=24, variant="batchtopk"),
    "matryoshka 24": SaeConfig(features=1024, l0=24, variant="matryoshka"),
    "gated-anneal 24": SaeConfig(features=1024, l0=24, variant="gated-anneal"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--judge", required=True)
    parser.add_argument("--sample", type=int, default=5_632)
    parser.add_argument("--epochs", type=int, default=4)
    given = parser.parse_args()
    stack = Stack([np.load(given.work / f"{kind}.npy", mmap_mode="r") for kind in ("original", "reasoned")])
    configs = [replace(config, epochs=given.epochs) for config in CANDIDATES.values()]
    started = time.perf_counter()
    trained = train_many(stack, configs)
    console = Console()
    console.print(f"{len(configs)} trained on {len(stack)} rows, {time.perf_counter() - started:.0f} s")
    shipped = xetrieval.load("minilm")
    encoder = CachedEncoder(open_encoder("minilm"))
    sample = judged(encoder, given)
    records = []
    for name, sae in [("shipped", shipped.sae), *((n, t.sae) for n, t in zip(CANDIDATES, trained, strict=True))]:
        record = {"autoencoder": name, **measure(shipped, sae, encoder, sample)}
        records.append(record)
        console.print(record)
        (RESULTS / "retrain_check.json").write_text(as_json(records))


def judged(encoder: CachedEncoder, given: argparse.Namespace) -> IntruderSample:
    documents = read_corpora(data() / name for name in TRAINED_ON)
    texts = training_texts(documents, 9)
    sentences = texts.texts[texts.documents :]
    order = np.random.default_rng(99).permutation(len(sentences))
    chosen = [sentences[row] for row in order if len(sentences[row]) < 220][: given.sample]
    judge = CachedEncoder(open_encoder(given.judge)).encode_document(chosen)
    return IntruderSample(encoder.encode_document(chosen), judge)


def measure(shipped: Any, sae: SparseAutoencoder, encoder: CachedEncoder, sample: IntruderSample) -> dict[str, Any]:
    top = top_examples(sae.encode(sample.vectors), sae.features, 8)
    table = tuple(Feature(j, None, None, float(top.frequency[j]) / len(sample.vectors)) for j in range(sae.features))
    explainer = replace(shipped, sae=sae, features=table)
    record: dict[str, Any] = {"intruder": intruder_score(sae, sample)._asdict()}
    record["duplicates"] = evaluate_sae(sae, sample.vectors).duplicates
    for name in JUDGED_ON:
        benchmark = read_benchmark(data() / name)
        vectors = benchmark_vectors(benchmark, encoder)
        sets = intervention(explainer, benchmark, vectors, InterventionConfig(queries=300, bootstrap=200)).sets
        keys = ("size", "erase", "erase_random", "explained", "explained_ci", "explained_random")
        record[name] = {key: sets["xetrieval"][key] for key in keys}
        record[name]["fvu"] = reconstruction(sae, vectors.documents).fvu
        record[name]["l0"] = reconstruction(sae, vectors.documents).l0
    return record


if __name__ == "__main__":
    main()
