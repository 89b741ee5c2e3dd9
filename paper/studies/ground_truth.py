"""Do features separate what people have sorted? Sites and tags of Stack Exchange, types and subjects of MedQuAD.

No labeller saw any of these. For each class the one best feature is chosen on one half of the documents and its area
under the curve measured on the other half; beside it the best raw dimension of the embedding and the best of as many
random directions, both with either sign. A feature is measured twice: as it is in use, zero for all documents where
it is not among the 24 largest, and by its score before the largest are taken. About two minutes from cached vectors.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

import xetrieval
from paper.kit.results import as_json
from paper.studies.minilm import RESULTS, data
from xetrieval.arrays import Float32, l2norm
from xetrieval.data import Document, stream_source
from xetrieval.encoders import CachedEncoder
from xetrieval.files import write_text
from xetrieval.intervals import bootstrap
from xetrieval.labels.examples import side_of

LEAST = {"site": 100, "tag": 50, "question type": 40, "focus": 20}


def main() -> None:
    explainer = xetrieval.load("minilm")
    reader = CachedEncoder(xetrieval.open_encoder("minilm"))
    result: dict[str, Any] = {"protocol": __doc__, "classes": {}, "summary": []}
    for corpus, kinds in (("stackexchange", ("site", "tag")), ("medquad", ("question type", "focus"))):
        documents = list(stream_source(data() / corpus))
        vectors = reader.encode_document([document.text for document in documents])
        half = np.array([side_of(document.thread, 7) for document in documents])
        systems = signals(explainer, vectors)
        for kind in kinds:
            classes = members(documents, kind)
            print(corpus, kind, len(classes), "classes", flush=True)
            rows = separate(systems, classes, half)
            for row in rows:
                row["name"] = explainer.features[row["feature"]].label
            result["classes"][kind] = rows
            result["summary"].append(summary(kind, rows))
    for line in result["summary"]:
        print(line)
    write_text(RESULTS / "ground_truth.json", as_json(result))


def signals(explainer: Any, vectors: Float32) -> dict[str, Float32]:
    """The values of each system for every document, [n, any]."""
    features = explainer.sae.features
    rng = np.random.default_rng(0)
    random = l2norm(rng.standard_normal((features, vectors.shape[1]))).astype(np.float32)
    return {
        "feature": explainer.sae.encode(vectors).dense(features),
        "feature score": (vectors - explainer.sae.decoder_bias) @ explainer.sae.encoder_weight.T,
        "dimension": vectors,
        "random direction": vectors @ random.T,
    }


def members(documents: list[Document], kind: str) -> dict[str, NDArray[np.bool_]]:
    """Which documents belong to each class that has enough of them."""
    of: list[set[str]] = []
    for document in documents:
        facts = document.fields.get("metadata") or {}
        values = {
            "site": [facts.get("site")],
            "tag": facts.get("tags") or [],
            "question type": [facts.get("qtype")],
            "focus": [facts.get("focus")],
        }[kind]
        of.append({str(value) for value in values if value})
    counts = Counter(name for names in of for name in names)
    return {
        name: np.array([name in names for names in of])
        for name, count in counts.most_common()
        if LEAST[kind] <= count <= len(documents) // 2
    }


def separate(
    systems: dict[str, Float32], classes: dict[str, NDArray[np.bool_]], half: NDArray[np.int64]
) -> list[dict[str, Any]]:
    """One record per class: chosen on half 0, measured on half 1."""
    names = [n for n, inside in classes.items() if min(inside[half == 0].sum(), inside[half == 1].sum()) >= 10]
    inside = np.stack([classes[name] for name in names])
    rows: list[dict[str, Any]] = [{"class": name, "documents": int(classes[name].sum())} for name in names]
    for system, signal in systems.items():
        curves = [areas(signal[half == side], inside[:, half == side]) for side in (0, 1)]
        signed = not system.startswith("feature")  # an activation is positive; a direction may point the other way
        strength = np.abs(curves[0] - 0.5) if signed else curves[0]
        best = strength.argmax(axis=1)
        for row, (record, column) in enumerate(zip(rows, best, strict=True)):
            measured = curves[1][row, column]
            if signed and curves[0][row, column] < 0.5:
                measured = 1 - measured
            record[system.replace(" ", "_") + "_auc"] = round(float(measured), 4)
            if system == "feature":
                record["feature"] = int(column)
    return rows


def areas(signal: Float32, inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """AUC of every column for every class, ties half, [classes, columns]."""
    out = np.empty((len(inside), signal.shape[1]))
    for start in range(0, signal.shape[1], 64):
        ranks = rankdata(signal[:, start : start + 64], axis=0)
        positive = inside.sum(axis=1, keepdims=True)
        sums = inside.astype(np.float64) @ ranks - positive * (positive + 1) / 2
        out[:, start : start + 64] = sums / (positive * (inside.shape[1] - positive))
    return out


def summary(kind: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    line: dict[str, Any] = {"kind": kind, "classes": len(rows)}
    for system in ("feature", "feature_score", "dimension", "random_direction"):
        mean, low, high = bootstrap(np.array([row[f"{system}_auc"] for row in rows]))
        line |= {f"{system}_auc": round(mean, 4), f"{system}_ci": [round(low, 4), round(high, 4)]}
    above = np.mean([row["feature_auc"] > max(row["dimension_auc"], row["random_direction_auc"]) for row in rows])
    return {**line, "feature_is_best": round(float(above), 4)}


if __name__ == "__main__":
    main()
