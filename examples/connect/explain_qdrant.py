"""Explain hits of a Qdrant collection. For a server, QdrantClient(url=...).

pip install "xetrieval[minilm,qdrant]"
python examples/connect/explain_qdrant.py
"""

from __future__ import annotations

from qdrant_client import QdrantClient, models

import xetrieval
from xetrieval.connect import Qdrant

TEXTS = {
    "sleep": "Cats sleep most of the day and hunt at night.",
    "walks": "Dogs need a walk twice a day, and a long sleep after it.",
    "loans": "A mortgage is a loan that is secured by a house.",
}
QUERY = "how long do dogs sleep"
EXPLAINER = xetrieval.load("minilm")  # of your own corpus: Store(...).learn("my-index")
VECTORS = EXPLAINER.encoder.encode_document([*TEXTS.values()])  # what your store has already


def main() -> None:
    client = QdrantClient(":memory:")
    size = models.VectorParams(size=VECTORS.shape[1], distance=models.Distance.COSINE)
    client.create_collection("animals", vectors_config=size)
    points = [
        models.PointStruct(id=number, vector=vector.tolist(), payload={"id": name, "text": TEXTS[name]})
        for number, (name, vector) in enumerate(zip(TEXTS, VECTORS, strict=True))
    ]
    client.upsert("animals", points)
    for hit in Qdrant(client, "animals").search(QUERY, k=2, explainer=EXPLAINER):
        print(hit.rank, hit.doc_id, round(hit.score, 4))
        print(hit, end="\n\n")


if __name__ == "__main__":
    main()
