"""Qdrant: an index with its codes as sparse vectors, searched by features and filtered by the names of features.

pip install "xetrieval[minilm,qdrant-edge]"
python examples/connect/write_qdrant_edge.py
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import qdrant_edge as edge

import xetrieval
from xetrieval.connect import QdrantEdge, write_index

TEXTS = {
    "sleep": "Cats sleep most of the day and hunt at night.",
    "walks": "Dogs need a walk twice a day, and a long sleep after it.",
    "loans": "A mortgage is a loan that is secured by a house.",
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        lines = [json.dumps({"_id": name, "text": text}) for name, text in TEXTS.items()]
        (place / "corpus.jsonl").write_text("\n".join(lines))
        xetrieval.build_index(xetrieval.Corpus((place / "corpus.jsonl",)), xetrieval.load("minilm"), place / "index")
        write_index(xetrieval.open_index(place / "index"), f"qdrant-edge://{place}/shard#dense")
        shard = edge.EdgeShard.load(str(place / "shard"))
        hit = QdrantEdge(shard, "dense").search("how long do dogs sleep", k=1)[0]
        print(hit)
        name = next(term.label for term in hit.terms if term.label)
        named = edge.Filter(must=[edge.FieldCondition("xetrieval", match=edge.MatchValue(name))])
        found, _ = shard.scroll(edge.ScrollRequest(limit=9, filter=named, with_payload=True))
        print(name, [point.payload["id"] for point in found])
        shard.close()


if __name__ == "__main__":
    main()
