"""Explain hits of an hnswlib index.

pip install "xetrieval[minilm,hnswlib]"
python examples/connect/explain_hnswlib.py
"""

from __future__ import annotations

import hnswlib
import numpy as np

import xetrieval
from xetrieval.connect import Hnswlib

TEXTS = {
    "sleep": "Cats sleep most of the day and hunt at night.",
    "walks": "Dogs need a walk twice a day, and a long sleep after it.",
    "loans": "A mortgage is a loan that is secured by a house.",
}
EXPLAINER = xetrieval.load("minilm")
VECTORS = EXPLAINER.encoder.encode_document([*TEXTS.values()])  # what your index has already


def main() -> None:
    index = hnswlib.Index("cosine", VECTORS.shape[1])
    index.init_index(len(VECTORS))
    index.add_items(VECTORS, np.arange(len(VECTORS)))
    for hit in Hnswlib(index, TEXTS).search("how long do dogs sleep", k=2, explainer=EXPLAINER):
        print(hit.rank, hit.doc_id, round(hit.score, 4))
        print(hit, end="\n\n")


if __name__ == "__main__":
    main()
