"""Explain hits of a FAISS index, which knows documents by number.

pip install "xetrieval[minilm,faiss]"
python examples/connect/explain_faiss.py
"""

from __future__ import annotations

import faiss

import xetrieval
from xetrieval.connect import Faiss

TEXTS = {
    "sleep": "Cats sleep most of the day and hunt at night.",
    "walks": "Dogs need a walk twice a day, and a long sleep after it.",
    "loans": "A mortgage is a loan that is secured by a house.",
}
QUERY = "how long do dogs sleep"
EXPLAINER = xetrieval.load("minilm")  # of your own corpus: Store(...).learn("my-index")
VECTORS = EXPLAINER.encoder.encode_document([*TEXTS.values()])  # what your store has already


def main() -> None:
    index = faiss.IndexFlatIP(VECTORS.shape[1])
    index.add(VECTORS)
    for hit in Faiss(index, TEXTS).search(QUERY, k=2, explainer=EXPLAINER):
        print(hit.rank, hit.doc_id, round(hit.score, 4))
        print(hit, end="\n\n")


if __name__ == "__main__":
    main()
