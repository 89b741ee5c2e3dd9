"""Explain hits of Milvus, here Milvus Lite in a file.

pip install "xetrieval[minilm,milvus]"
python examples/connect/explain_milvus.py
"""

from __future__ import annotations

import tempfile

from pymilvus import MilvusClient

import xetrieval
from xetrieval.connect import Milvus

TEXTS = {
    "sleep": "Cats sleep most of the day and hunt at night.",
    "walks": "Dogs need a walk twice a day, and a long sleep after it.",
    "loans": "A mortgage is a loan that is secured by a house.",
}
EXPLAINER = xetrieval.load("minilm")
VECTORS = EXPLAINER.encoder.encode_document([*TEXTS.values()])  # what your store has already


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        client = MilvusClient(f"{folder}/milvus.db")
        client.create_collection("animals", dimension=VECTORS.shape[1], metric_type="COSINE", auto_id=False)
        rows = [
            {"id": number, "vector": vector.tolist(), "doc_id": name, "text": TEXTS[name]}
            for number, (name, vector) in enumerate(zip(TEXTS, VECTORS, strict=True))
        ]
        client.insert("animals", rows)
        store = Milvus(client, "animals", (("id", "doc_id"),))  # which field is the id
        for hit in store.search("how long do dogs sleep", k=2, explainer=EXPLAINER):
            print(hit.rank, hit.doc_id, round(hit.score, 4))
            print(hit, end="\n\n")
        client.close()


if __name__ == "__main__":
    main()
