"""Four cases in the paper's form: what a raw autoencoder finds, and what ours finds -> results/case_studies.json

    python -m paper.studies.case_studies --work DIR    DIR: that of control_saes.py, with raw

A judged query of each of four benchmarks with its relevant document. The raw autoencoder's features are labelled by
key phrases of the training texts that activate them. Texts and pages go to DIR/cases, because we may not redistribute
the documents.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import xetrieval
from paper.kit.benchmarks import first_short_pair
from paper.kit.results import as_json
from paper.studies.minilm import RESULTS, TRAINED_ON, data
from xetrieval.data import read_corpora
from xetrieval.data.benchmark import read_benchmark
from xetrieval.encoders import CachedEncoder, open_encoder
from xetrieval.explain import Explainer
from xetrieval.explain.release_format import release_record
from xetrieval.features import Feature
from xetrieval.fitting.texts import encode_training, training_texts
from xetrieval.labels.examples import top_examples
from xetrieval.labels.keyphrases import keyphrase_labels
from xetrieval.render.page import page
from xetrieval.sae import SparseAutoencoder

CASES = ("scifact", "nq-qed", "arguana", "stackexchange-qa")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    given = parser.parse_args()
    ours = xetrieval.load("minilm")
    sae = SparseAutoencoder.load(given.work / "raw")
    nameless = tuple(Feature(i, None, None, 0.0) for i in range(sae.features))
    raw = named(replace(ours, name="raw", sae=sae, internalizers={}, features=nameless, families=()), given)
    folder = given.work / "cases"
    folder.mkdir(exist_ok=True)
    records = []
    for name in CASES:
        query, document = first_short_pair(read_benchmark(data() / name))
        both = {"ours": ours.explain(query, document), "raw": raw.explain(query, document)}
        records.append({"dataset": name, **{key: release_record(one) for key, one in both.items()}})
        text = [f"query: {query}", "", f"document: {document}", ""]
        for key, one in both.items():
            text += [f"{key}: {len(one.terms)} features shared", str(one), ""]
            (folder / f"{name}-{key}.html").write_text(page(ours.with_evidence(one) if key == "ours" else one))
        (folder / f"{name}.txt").write_text("\n".join(text))
    (RESULTS / "case_studies.json").write_text(as_json(records))


def named(raw: Any, given: argparse.Namespace) -> Explainer:
    texts = training_texts(read_corpora(data() / name for name in TRAINED_ON), 9)
    encoder = CachedEncoder(open_encoder("minilm", precision=given.precision))
    vectors = encode_training(encoder, texts).vectors
    top = top_examples(raw.sae.encode(vectors), raw.sae.features, 20)
    background = range(0, len(texts.texts), max(1, len(texts.texts) // 20_000))
    lists = [top.of(feature).tolist() for feature in range(raw.sae.features)]
    labels = keyphrase_labels(texts.texts.__getitem__, lists, background)
    frequency = np.asarray(top.frequency) / len(texts.texts)
    features = (Feature(i, label, "keyphrase", float(frequency[i])) for i, label in enumerate(labels))
    return replace(raw, features=tuple(features))


if __name__ == "__main__":
    main()
