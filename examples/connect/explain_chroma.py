"""Explain hits of a Chroma collection that was made with Chroma's defaults: all-MiniLM-L6-v2, squared L2.

pip install "xetrieval[minilm,chroma]"
python examples/connect/explain_chroma.py
"""

from __future__ import annotations

import chromadb

import xetrieval
from xetrieval.connect import Chroma

TEXTS = {
    "sleep": "Cats sleep most of the day and hunt at night.",
    "walks": "Dogs need a walk twice a day, and a long sleep after it.",
    "loans": "A mortgage is a loan that is secured by a house.",
}
QUERY = "how long do dogs sleep"
EXPLAINER = xetrieval.load("minilm")  # of your own corpus: Store(...).learn("my-index")
VECTORS = EXPLAINER.encoder.encode_document([*TEXTS.values()])  # what your store has already


def main() -> None:
    client = chromadb.EphemeralClient(chromadb.config.Settings(anonymized_telemetry=False))
    collection = client.get_or_create_collection("animals")
    collection.upsert(ids=[*TEXTS], documents=[*TEXTS.values()], embeddings=VECTORS)  # as Chroma's own embedder makes
    for hit in Chroma(collection).search(QUERY, k=2, explainer=EXPLAINER):
        print(hit.rank, hit.doc_id, round(hit.score, 4))
        print(hit, end="\n\n")


if __name__ == "__main__":
    main()
