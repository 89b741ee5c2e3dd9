"""What do unlabelled features carry, and would another training have fewer of them?

    xetrieval label import FITTED paper/studies/names/minilm_1024.csv --output WHOLE
    python -m paper.studies.prune_check --whole WHOLE --mpnet FOLDER --work DIR

FITTED is what fit_minilm.py makes, with the features in the order of the worksheet (else `xetrieval label transfer`).
A reader's verdict on 1,024 features (mixed or plain) calibrates a stand-in for reading: the mean cosine of a feature's
nine strongest texts under another encoder, on a pool of documents that no name was made from. Eleven other trainings
are measured by it. Then parts of the dictionary are left out and explained shares measured. About an hour; resumes.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import xetrieval
from paper.kit.results import as_json
from paper.kit.training import explaining_sae
from paper.studies.label_scores import pool
from paper.studies.minilm import RESULTS, TRAINED_ON, data
from xetrieval.arrays import Float32, l2norm
from xetrieval.data import read_corpora, stream_source
from xetrieval.data.benchmark import open_benchmark, sample_benchmark
from xetrieval.data.passages import passages_of
from xetrieval.encoders import CachedEncoder
from xetrieval.evaluate import InterventionConfig, benchmark_vectors, intervention
from xetrieval.explain import Explainer
from xetrieval.files import write_text
from xetrieval.fitting.texts import training_texts
from xetrieval.labels.examples import top_examples
from xetrieval.labels.examples.select import folded
from xetrieval.labels.prune import prune
from xetrieval.sae import SparseAutoencoder, read_sae, write_sae
from xetrieval.sae.train import SaeConfig, train_many

TEXTS = 9
SAME_WORDS = 5  # texts of one template that are kept
MEDQUAD = 4000  # documents of it that the smaller corpus keeps
SETS = ("arguana", "mutual", "scifact", "english-dup")


def candidates() -> dict[str, tuple[bool, SaeConfig]]:
    """Name -> (less of MedQuAD, how it is trained)."""
    batchtopk = replace(explaining_sae(1024, 16), variant="batchtopk", inference_k=None)
    fewer = {
        "1024, k 16": explaining_sae(1024, 16),
        "1024, k 12": explaining_sae(1024, 12, inference_k=20),
        "1024, k 8": explaining_sae(1024, 8, inference_k=16),
        "768, k 16": explaining_sae(768, 16),
        "1024, batchtopk 16": batchtopk,
    }
    shapes = ((1024, 16), (1024, 8), (768, 12), (768, 8), (512, 12), (512, 8))
    whole = {f"{f}, k {k}": explaining_sae(f, k, inference_k=24) for f, k in shapes}
    out = {f"less MedQuAD: {name}": (True, config) for name, config in fewer.items()}
    return out | {f"all: {name}": (False, config) for name, config in whole.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whole", type=Path, required=True)
    parser.add_argument("--mpnet", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    explainer = xetrieval.load(given.whole)
    mixed = np.array([(f.label or "").startswith("mixed: ") for f in explainer.features])
    own, other = pool_vectors(given.mpnet)
    coherence = alike(explainer.sae, own, other, TEXTS)
    judged = ~np.isnan(coherence)
    a, b = coherence[judged & ~mixed, None], coherence[None, judged & mixed]
    bar = float(np.quantile(coherence[judged], mixed[judged].mean()))
    result: dict[str, Any] = {
        "protocol": __doc__,
        "plain_by_a_reader": round(1 - float(mixed.mean()), 4),
        "stand_in_auc": round(float(((a > b) + 0.5 * (a == b)).mean()), 4),
        "candidates": [],
    }
    train(explainer, given.work)
    for name in candidates():
        found = alike(read_sae(path_of(given.work, name)), own, other, TEXTS)
        found = found[~np.isnan(found)]
        record = {"candidate": name, "judged": len(found), "estimated_plain": round(float((found > bar).mean()), 4)}
        result["candidates"].append(record)
        print(record, flush=True)
    sixteen = np.nan_to_num(alike(explainer.sae, own, other, 16), nan=float(np.nanmean(coherence)))
    result["left_out"] = left_out(explainer, mixed, sixteen)
    write_text(RESULTS / "prune_check.json", as_json(result))


def pool_vectors(mpnet: Path) -> tuple[Float32, Float32]:
    """Sentences of the pool under the explained encoder and, centred, under the other."""
    documents = pool([data() / name for name in TRAINED_ON])
    texts = list(dict.fromkeys(p.text for d in documents for p in passages_of(d, 9) if not p.whole))
    own = CachedEncoder(xetrieval.open_encoder("minilm")).encode_document(texts)
    other = CachedEncoder(xetrieval.open_encoder(str(mpnet))).encode_document(texts)
    return own, np.asarray(l2norm(other - other.mean(axis=0)), np.float32)


def alike(sae: SparseAutoencoder, own: Float32, other: Float32, count: int) -> NDArray[np.float64]:
    """Mean cosine of a feature's strongest texts to each other, under the other encoder; nan where it has too few."""
    top = top_examples(sae.encode(own), sae.features, count)
    out = np.full(sae.features, np.nan)
    for feature in range(sae.features):
        rows = top.of(feature)
        if len(rows) == count:
            cosine = other[rows] @ other[rows].T
            out[feature] = (cosine.sum() - count) / (count * (count - 1))
    return out


def path_of(work: Path, name: str) -> Path:
    return work / f"{folded(name).replace(' ', '-')}-{''.join(c for c in name if c.isdigit())}.safetensors"


def train(explainer: Explainer, work: Path) -> None:
    """All that are not there yet, those on the same rows in one pass."""
    for less in (True, False):
        asked = {name: config for name, (fewer, config) in candidates().items() if fewer is less}
        todo = {name: config for name, config in asked.items() if not path_of(work, name).is_file()}
        if not todo:
            continue
        documents = read_corpora(data() / name for name in TRAINED_ON)
        texts = training_texts(documents, 9)
        used = kept(texts, {d.id for d in stream_source(data() / "medquad")}, [d.id for d in documents], less=less)
        z = CachedEncoder(xetrieval.open_encoder("minilm")).encode_document([texts.texts[row] for row in used])
        views = np.stack(explainer.reasoned(z), axis=1).astype(np.float16)
        trained = train_many(views.reshape(-1, views.shape[2]), list(todo.values()))
        for name, done in zip(todo, trained, strict=True):
            write_sae(done.sae, path_of(work, name))


def kept(texts: Any, medquad: set[str], ids: list[str], *, less: bool) -> NDArray[np.int64]:
    """Rows to train on: no more than a few of one template, and, if asked, a quarter of MedQuAD."""
    rng, seen = np.random.default_rng(0), dict[str, int]()
    words: dict[str, int] = {}
    for text in texts.texts:
        for word in set(folded(text[:400]).split()):
            words[word] = words.get(word, 0) + 1
    common = set(sorted(words, key=lambda word: -words[word])[:1500])
    keep = np.zeros(len(texts.texts), bool)
    for row in rng.permutation(len(texts.texts)):
        skeleton = " ".join(w if w in common else "_" for w in folded(texts.texts[row][:300]).split())
        seen[skeleton] = seen.get(skeleton, 0) + 1
        keep[row] = seen[skeleton] <= SAME_WORDS
    if less:
        of = np.array([identifier in medquad for identifier in ids])
        gone = np.random.default_rng(1).permutation(np.flatnonzero(of))[MEDQUAD:]
        keep &= ~np.isin(texts.owner, gone)
    return np.flatnonzero(keep)


def left_out(explainer: Explainer, mixed: NDArray[np.bool_], coherence: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Explained shares of parts of the dictionary."""
    count = int(mixed.sum())
    random = np.random.default_rng(0).permutation(len(mixed))[:count]
    parts = {
        "nothing": [],
        f"the {count} mixed ones": np.flatnonzero(mixed).tolist(),
        f"{count} at random": random.tolist(),
        "the 205 least alike by the other encoder": np.argsort(coherence)[:205].tolist(),
    }
    reader = CachedEncoder(xetrieval.open_encoder("minilm"))
    records = []
    for name in SETS:
        benchmark = sample_benchmark(open_benchmark(str(data() / name)), 300, 3000, 0)
        vectors = benchmark_vectors(benchmark, reader)
        for part, drop in parts.items():
            smaller = prune(explainer, drop) if drop else explainer
            figures = intervention(smaller, benchmark, vectors, InterventionConfig(bootstrap=200)).sets["xetrieval"]
            fields = ("pairs", "size", "explained", "explained_ci", "explained_random", "erase", "erase_random")
            plain = round(1 - float(np.delete(mixed, drop).mean()), 4)
            record = {"dataset": name, "left_out": part, "features": smaller.sae.features, "plain": plain}
            records.append(record | {field: figures[field] for field in fields})
            print(records[-1], flush=True)
    return records


if __name__ == "__main__":
    main()
