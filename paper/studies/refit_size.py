"""How many documents does a refit on one's own corpus need? -> results/refit_size.json

On ArguAna, which the shipped explainer never saw: autoencoders on a number of its documents and up to nine sentences of
each, compared with the shipped one on the same held-out documents. Epochs grow as documents shrink, so that
each sees at least 400,000 rows.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from rich.console import Console

import xetrieval
from paper.kit.results import as_json
from paper.kit.training import explaining_sae
from paper.studies.minilm import RESULTS, data
from xetrieval.arrays import Float32
from xetrieval.data import read_corpora
from xetrieval.encoders import CachedEncoder, open_encoder
from xetrieval.fitting.texts import training_texts
from xetrieval.sae.measure import reconstruction
from xetrieval.sae.train import train_sae

SIZES = (100, 300, 1000, 3000, 7600)
HELD = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    given = parser.parse_args()
    encoder = CachedEncoder(open_encoder("minilm", precision=given.precision))
    documents = read_corpora([data() / "arguana"])
    order = np.random.default_rng(0).permutation(len(documents))
    held, rest = order[:HELD], order[HELD:]
    measured = encoder.encode_document([documents[row].text for row in held])
    shipped = xetrieval.load("minilm").sae
    records = [{"autoencoder": "shipped", **reconstruction(shipped, measured)._asdict()}]
    for size in SIZES:
        texts = training_texts([documents[row] for row in rest[:size]], 9).texts
        records.append({"autoencoder": f"of {size} documents", "documents": size, **fitted(encoder, texts, measured)})
        Console().print(records[-1])
        (RESULTS / "refit_size.json").write_text(as_json(records))


def fitted(encoder: CachedEncoder, texts: list[str], measured: Float32) -> dict[str, Any]:
    vectors = encoder.encode_document(texts)
    epochs = max(4, -(-400_000 // len(vectors)))
    started = time.perf_counter()
    features = min(1024, len(vectors))
    sae = train_sae(vectors, explaining_sae(features, 16, epochs, 24))
    figures = {"rows": len(vectors), "epochs": epochs, "seconds": round(time.perf_counter() - started, 1)}
    return {**figures, "features": features, **reconstruction(sae, measured)._asdict()}


if __name__ == "__main__":
    main()
