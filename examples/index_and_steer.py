"""Index a few texts, ask why one stands where it does, turn a feature down.

python examples/index_and_steer.py
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import xetrieval

TEXTS = {
    "sleep": "Cats sleep most of the day and hunt at night.",
    "walks": "Dogs need a walk twice a day, and a long sleep after it.",
    "loans": "A mortgage is a loan that is secured by a house.",
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus.jsonl"
        corpus.write_text("".join(json.dumps({"_id": name, "text": text}) + "\n" for name, text in TEXTS.items()))
        xetrieval.build_index(xetrieval.Corpus((corpus,)), xetrieval.load("minilm"), Path(folder) / "index")
        index = xetrieval.open_index(Path(folder) / "index")

        hits = index.search("how long do dogs sleep")
        for hit in hits:
            print(hit.rank, hit.doc_id, round(hit.score, 4))
        print(hits[0].explanation, end="\n\n")

        answer = index.why("how long do dogs sleep", "sleep", over=hits[0].doc_id)
        print(f"{answer.doc_id} has rank {answer.rank}:")
        print(answer.contrast, end="\n\n")

        strongest = hits[0].explanation.terms[0]
        profile = xetrieval.SteeringProfile(
            {strongest.feature_id: 0.0}, index.explainer.sae.digest, note=f"without {strongest.name}"
        )
        for hit in index.search("how long do dogs sleep", steer=profile):
            print(hit.rank, hit.doc_id, round(hit.score, 4), profile.note)


if __name__ == "__main__":
    main()
