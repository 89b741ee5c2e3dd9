"""Explain hits of Qdrant Edge, the engine of Qdrant inside the process.

pip install "xetrieval[minilm,qdrant-edge]"
python examples/connect/explain_qdrant_edge.py
"""

from __future__ import annotations

import tempfile

import qdrant_edge

import xetrieval
from xetrieval.connect import QdrantEdge

TEXTS = {
    "sleep": "Cats sleep most of the day and hunt at night.",
    "walks": "Dogs need a walk twice a day, and a long sleep after it.",
    "loans": "A mortgage is a loan that is secured by a house.",
}
QUERY = "how long do dogs sleep"
EXPLAINER = xetrieval.load("minilm")  # of your own corpus: Store(...).learn("my-index")
VECTORS = EXPLAINER.encoder.encode_document([*TEXTS.values()])  # what your store has already


def main() -> None:
    size = qdrant_edge.EdgeVectorParams(VECTORS.shape[1], qdrant_edge.Distance.Cosine)
    with tempfile.TemporaryDirectory() as folder:
        shard = qdrant_edge.EdgeShard.create(folder, qdrant_edge.EdgeConfig(vectors={"dense": size}))
        points = [
            qdrant_edge.Point(number, {"dense": vector.tolist()}, {"id": name, "text": TEXTS[name]})
            for number, (name, vector) in enumerate(zip(TEXTS, VECTORS, strict=True))
        ]
        shard.update(qdrant_edge.UpdateOperation.upsert_points(points))
        for hit in QdrantEdge(shard, "dense").search(QUERY, k=2, explainer=EXPLAINER):
            print(hit.rank, hit.doc_id, round(hit.score, 4))
            print(hit, end="\n\n")
        shard.close()


if __name__ == "__main__":
    main()
