"""Faithfulness beyond the paper: curves, rank correlation, stability -> results/faithfulness.json, faithfulness.png

    python -m paper.studies.faithfulness --work DIR    DIR: that of control_saes.py, with raw and reseeded

On the shared benchmarks; those unseen in training are marked. Paraphrases are written by people (questions and the
questions they duplicate) and by a language model (summaries of posts).
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

import xetrieval
from paper.kit.figures import draw_faithfulness
from paper.kit.results import as_json
from paper.kit.stability import alike_features, shown_features, stability
from paper.kit.words import word_curves
from paper.studies.minilm import RESULTS, UNSEEN, data, teachers
from xetrieval.data import read_corpora
from xetrieval.data.benchmark import read_benchmark
from xetrieval.encoders import CachedEncoder, open_encoder
from xetrieval.evaluate import FaithfulnessConfig, benchmark_vectors, faithfulness
from xetrieval.explain import Explainer
from xetrieval.features import Feature
from xetrieval.sae import SparseAutoencoder
from xetrieval.teachers import read_teacher

DATASETS = (*UNSEEN, "nq-qed", "stackexchange-qa")
WORDS = FaithfulnessConfig(queries=60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="*", default=list(DATASETS))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    given = parser.parse_args()
    shipped, raw = xetrieval.load("minilm"), SparseAutoencoder.load(given.work / "raw")
    other = with_sae(shipped, SparseAutoencoder.load(given.work / "reseeded"))
    encoder = CachedEncoder(open_encoder("minilm", precision=given.precision))
    plain = open_encoder("minilm", precision=given.precision)  # texts without some words are not worth keeping
    records: list[dict[str, Any]] = []
    for name in track(given.datasets, "faithfulness"):
        benchmark = read_benchmark(data() / name)
        vectors = benchmark_vectors(benchmark, encoder)
        record = {"unseen_in_training": name in UNSEEN, **asdict(faithfulness(shipped, benchmark, vectors, raw=raw))}
        record["words"] = word_curves(plain, benchmark, vectors, WORDS)
        record["another_seed"] = reseeded(shipped, other, vectors)
        records.append(record)
        write({"precision": given.precision, "benchmarks": records})
    result = {"precision": given.precision, "benchmarks": records, "paraphrase": paraphrases(shipped, encoder)}
    write(result)
    draw_faithfulness(result, RESULTS / "faithfulness.png")


def write(result: dict[str, Any]) -> None:
    (RESULTS / "faithfulness.json").write_text(as_json(result))


def with_sae(explainer: Explainer, sae: SparseAutoencoder) -> Explainer:
    return replace(explainer, sae=sae, features=tuple(Feature(i, None, None, 0.0) for i in range(sae.features)))


def reseeded(shipped: Explainer, other: Explainer, vectors: Any) -> dict[str, Any]:
    """Each query with its best document, by both autoencoders."""
    q = vectors.queries[:1000]
    z = vectors.documents[np.argmax(q @ vectors.documents.T, axis=1)]
    alike = alike_features(shipped.sae, other.sae)
    return stability(shown_features(shipped, q, z), shown_features(other, q, z), alike)


def paraphrases(explainer: Explainer, encoder: CachedEncoder) -> dict[str, Any]:
    benchmark = read_benchmark(data() / "english-dup")
    vectors = benchmark_vectors(benchmark, encoder)
    title_of = {d.id: str(d.fields.get("title") or "") for d in benchmark.documents}
    pairs = [
        (text, title_of[document])
        for query, text in zip(benchmark.query_ids, benchmark.queries, strict=True)
        for document in benchmark.judgments[query]
        if title_of.get(document, "").strip() not in ("", text)
    ]
    a = encoder.encode_query([first for first, _ in pairs])
    b = encoder.encode_query([second for _, second in pairs])
    z = vectors.documents[np.argsort(-(a @ vectors.documents.T), axis=1)[:, 1]]  # the second best: rarely the duplicate
    posts = read_corpora([data() / "stackexchange"])
    summaries = {p.source: p.target for p in read_teacher(teachers()[0], posts) if p.aspect == "summary"}
    asked = [(d.fields["title"], d.text) for d in posts if d.text in summaries and d.fields.get("title")]
    q = encoder.encode_query([title for title, _ in asked])
    whole = encoder.encode_document([text for _, text in asked])
    said = encoder.encode_document([summaries[text] for _, text in asked])
    return {
        "queries: questions and those they duplicate": stability(
            shown_features(explainer, a, z), shown_features(explainer, b, z)
        ),
        "documents: posts and their summaries": stability(
            shown_features(explainer, q, whole), shown_features(explainer, q, said)
        ),
    }


if __name__ == "__main__":
    main()
