"""Explain hits of a store without an adapter: all it takes is ids, scores and vectors.

pip install "xetrieval[minilm]"
python examples/connect/explain_any_store.py
"""

from __future__ import annotations

import numpy as np

import xetrieval
from xetrieval.connect import StoreHit, explain_hits

TEXTS = {
    "sleep": "Cats sleep most of the day and hunt at night.",
    "walks": "Dogs need a walk twice a day, and a long sleep after it.",
    "loans": "A mortgage is a loan that is secured by a house.",
}
QUERY = "how long do dogs sleep"
EXPLAINER = xetrieval.load("minilm")  # of your own corpus: Store(...).learn("my-index")
VECTORS = EXPLAINER.encoder.encode_document([*TEXTS.values()])  # what your store has already


def main() -> None:
    q = EXPLAINER.encoder.encode_query([QUERY])[0]
    distances = np.linalg.norm(VECTORS - q, axis=1)  # what your store answers
    hits = [
        StoreHit(name, float(distances[row]), VECTORS[row], text)
        for row, (name, text) in sorted(enumerate(TEXTS.items()), key=lambda one: distances[one[0]])
    ]
    for hit in explain_hits(EXPLAINER, QUERY, hits, metric="l2", vector=q):
        print(hit.rank, hit.doc_id, round(hit.score, 4))
        print(hit, end="\n\n")


if __name__ == "__main__":
    main()
