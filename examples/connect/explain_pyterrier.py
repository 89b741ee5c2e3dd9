"""PyTerrier: an index as a retriever, and explanations as a column.

pip install "xetrieval[minilm,pyterrier]"
python examples/connect/explain_pyterrier.py
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pyterrier

import xetrieval
from xetrieval.connect.pyterrier import Explain, Retriever

TEXTS = {
    "sleep": "Cats sleep most of the day and hunt at night.",
    "walks": "Dogs need a walk twice a day, and a long sleep after it.",
    "loans": "A mortgage is a loan that is secured by a house.",
}


def main() -> None:
    print("PyTerrier", pyterrier.__version__)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        lines = [json.dumps({"_id": name, "text": text}) for name, text in TEXTS.items()]
        (place / "corpus.jsonl").write_text("\n".join(lines))
        xetrieval.build_index(xetrieval.Corpus((place / "corpus.jsonl",)), xetrieval.load("minilm"), place / "index")
        pipeline = Retriever(place / "index", k=2) >> Explain(place / "index")
        for row in pipeline.search("how long do dogs sleep").itertuples():
            print(row.rank, row.docno, round(row.score, 4))
            for feature in row.explanation["features"]:
                print("   ", feature["name"], round(feature["share"], 4))
            print("    remainder (not explained)", round(row.explanation["remainder"], 4))


if __name__ == "__main__":
    main()
