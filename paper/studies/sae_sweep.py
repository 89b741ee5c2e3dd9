"""Seven variants (and Matryoshka) at five sparsities on real vectors -> results/sae_sweep.json and .png (as Fig. 3, 4)

    python -m paper.studies.sae_sweep --work DIR --judge MODEL
        MODEL: a folder or hub name of another encoder (all-mpnet-base-v2)

Vectors: MiniLM's, of the first documents and the first sentences of the corpora that the shipped explainer was made
from, and the three views of each by its internalizers. Ranking is judged on corpora that no autoencoder saw. Mono-
semanticity: an intruder among nine top texts, named by the judge's embeddings of a sample of short sentences.
"""

from __future__ import annotations

import argparse
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import xetrieval
from paper.kit.results import as_json
from paper.studies.minilm import RESULTS, TRAINED_ON, data
from xetrieval.data import read_corpora
from xetrieval.data.benchmark import read_benchmark
from xetrieval.encoders import CachedEncoder, open_encoder
from xetrieval.evaluate import IntruderSample, SweepConfig, SweepData, benchmark_vectors, sweep
from xetrieval.evaluate.plots import plot_sweep
from xetrieval.fitting.texts import training_texts
from xetrieval.sae import SparseAutoencoder
from xetrieval.sae.measure import Measured
from xetrieval.views import ASPECTS

VARIANTS = ("relu", "topk", "batchtopk", "gated", "jumprelu", "p-anneal", "gated-anneal", "matryoshka")
JUDGED_ON = ("scifact", "mutual", "arguana")
LONGEST = 220  # characters of a sentence in the intruder's sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--judge", required=True)
    parser.add_argument("--documents", type=int, default=17_408)
    parser.add_argument("--sentences", type=int, default=217_088)
    parser.add_argument("--unseen", type=int, default=8_192, help="further sentences, for reconstruction figures")
    parser.add_argument("--sample", type=int, default=5_120)
    parser.add_argument("--features", type=int, default=1536)
    parser.add_argument("--l0", type=float, nargs="+", default=[16, 32, 64, 128, 256])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS))
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=2048)
    parser.add_argument("--name", default="sae_sweep")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    sweep_data = prepare(given)
    shapes = tuple(given.variants), tuple(given.l0), (given.features,)
    config = SweepConfig(*shapes, epochs=given.epochs, batch_size=given.batch_size)
    unseen = unseen_vectors(given)
    started = time.perf_counter()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[note]}")) as bar:
        task = bar.add_task("sweep", total=None, note="")

        def show(_: str, done: int, total: int, note: str) -> None:
            seconds = f"{time.perf_counter() - started:.0f} s"
            bar.update(task, completed=done, total=total, note=f"{note}, {seconds}")
            (given.work / "progress.txt").write_text(f"{done}/{total} {seconds}\n")

        records = sweep(sweep_data, config, given.work / "sweep", show)
    facts = {
        "encoder": "minilm",
        "judge": Path(given.judge).name,
        "rows_of_each_kind": {name: len(vectors) for name, vectors in sweep_data.kinds.items()},
        "documents": given.documents,
        "sentences": given.sentences,
        "intruder_sample": given.sample,
        "seconds": round(time.perf_counter() - started),
        "hardware": f"{torch.get_num_threads()} threads, {platform.machine()}",
        "torch": torch.__version__,
        "seed": config.seed,
        "epochs": given.epochs,
        "batch_size": given.batch_size,
    }
    for record in records:
        record["held_out_rows"] = {kind: record[kind] for kind in sweep_data.kinds}
        record["held_out_l0"] = (record["original"]["l0"] + 3 * record["reasoned"]["l0"]) / 4  # three views a row
        record |= on_unseen(SparseAutoencoder.load(folder_of(given, record)), given, unseen)
    path = RESULTS / f"{given.name}.json"
    path.write_text(as_json({"facts": facts, "records": records}))
    plot_sweep(records, path.with_suffix(".png"))


def folder_of(given: argparse.Namespace, record: dict[str, Any]) -> Path:
    return Path(given.work) / "sweep" / f"{record['variant']}-{record['features']}-{record['target_l0']:g}"


def unseen_vectors(given: argparse.Namespace) -> Any:
    """Sentences after those that are learnt from, MiniLM's vectors [n, m]."""
    texts = training_texts(read_corpora(data() / name for name in TRAINED_ON), 9)
    first = texts.documents + given.sentences
    return CachedEncoder(open_encoder("minilm")).encode_document(texts.texts[first : first + given.unseen])


def on_unseen(sae: Any, given: argparse.Namespace, vectors: Any) -> dict[str, Any]:
    """Reconstruction of original and of reasoned vectors of those sentences, apart (Fig. 4)."""
    nets = xetrieval.load("minilm").internalizers
    kinds = {"original": [vectors], "reasoned": [nets[aspect](vectors) for aspect in ASPECTS]}
    out: dict[str, Any] = {}
    for kind, parts in kinds.items():
        found = Measured(sae)
        for part in parts:
            for start in range(0, len(part), 8192):
                found.add(part[start : start + 8192])
        out[kind] = {
            **found.reconstruction()._asdict(),
            "features_active": int((found.activity.active > 0).sum()),
            "rows": found.rows,
        }
    return out


def prepare(given: argparse.Namespace) -> SweepData:
    """Everything encoded, views in half precision on disk."""
    documents = read_corpora(data() / name for name in TRAINED_ON)
    texts = training_texts(documents, 9)
    rows = np.concatenate(
        [
            np.arange(given.documents),
            texts.documents + np.arange(min(given.sentences, len(texts.texts) - texts.documents)),
        ]
    )
    rows = np.random.default_rng(0).permutation(rows)  # neighbours in a file come from one place
    encoder = CachedEncoder(open_encoder("minilm"))
    original = given.work / "original.npy"
    if not original.is_file():
        np.save(original, encoder.encode_document([texts.texts[row] for row in rows]).astype(np.float16))
    vectors = np.load(original, mmap_mode="r")
    reasoned = given.work / "reasoned.npy"
    if not reasoned.is_file():
        nets = xetrieval.load("minilm").internalizers
        parts = [nets[aspect](np.asarray(vectors, np.float32)).astype(np.float16) for aspect in ASPECTS]
        np.save(reasoned, np.concatenate(parts))
    sentences = texts.texts[texts.documents :]
    order = np.random.default_rng(99).permutation(len(sentences))
    sample = [sentences[row] for row in order if len(sentences[row]) < LONGEST][: given.sample]
    judge = CachedEncoder(open_encoder(given.judge)).encode_document(sample)
    benchmarks = [read_benchmark(data() / name) for name in JUDGED_ON]
    return SweepData(
        kinds={"original": vectors, "reasoned": np.load(reasoned, mmap_mode="r")},
        benchmarks=[(benchmark, benchmark_vectors(benchmark, encoder)) for benchmark in benchmarks],
        judged=IntruderSample(encoder.encode_document(sample), judge),
    )


if __name__ == "__main__":
    main()
