"""Explain hits of a usearch index. An hnswlib index is explained in the same way, with Hnswlib.

pip install "xetrieval[minilm,usearch]"
python examples/connect/explain_usearch.py
"""

from __future__ import annotations

import numpy as np
from usearch.index import Index

import xetrieval
from xetrieval.connect import Usearch

TEXTS = {
    "sleep": "Cats sleep most of the day and hunt at night.",
    "walks": "Dogs need a walk twice a day, and a long sleep after it.",
    "loans": "A mortgage is a loan that is secured by a house.",
}
EXPLAINER = xetrieval.load("minilm")
VECTORS = EXPLAINER.encoder.encode_document([*TEXTS.values()])  # what your index has already


def main() -> None:
    index = Index(ndim=VECTORS.shape[1], metric="cos", dtype="f32")
    index.add(np.arange(len(VECTORS)), VECTORS)
    for hit in Usearch(index, TEXTS).search("how long do dogs sleep", k=2, explainer=EXPLAINER):
        print(hit.rank, hit.doc_id, round(hit.score, 4))
        print(hit, end="\n\n")


if __name__ == "__main__":
    main()
