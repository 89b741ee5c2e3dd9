"""Explain hits of a LanceDB table.

pip install "xetrieval[minilm,lancedb]"
python examples/connect/explain_lancedb.py
"""

from __future__ import annotations

import tempfile

import lancedb

import xetrieval
from xetrieval.connect import LanceDb

TEXTS = {
    "sleep": "Cats sleep most of the day and hunt at night.",
    "walks": "Dogs need a walk twice a day, and a long sleep after it.",
    "loans": "A mortgage is a loan that is secured by a house.",
}
QUERY = "how long do dogs sleep"
EXPLAINER = xetrieval.load("minilm")  # of your own corpus: Store(...).learn("my-index")
VECTORS = EXPLAINER.encoder.encode_document([*TEXTS.values()])  # what your store has already


def main() -> None:
    rows = [
        {"id": name, "text": text, "vector": vector.tolist()}
        for (name, text), vector in zip(TEXTS.items(), VECTORS, strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        table = lancedb.connect(folder).create_table("animals", rows)
        for hit in LanceDb(table).search(QUERY, k=2, explainer=EXPLAINER):
            print(hit.rank, hit.doc_id, round(hit.score, 4))
            print(hit, end="\n\n")


if __name__ == "__main__":
    main()
