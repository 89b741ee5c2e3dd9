"""Explain hits of a DuckDB table, whose vectors are FLOAT[384].

pip install "xetrieval[minilm,duckdb]"
python examples/connect/explain_duckdb.py
"""

from __future__ import annotations

import duckdb

import xetrieval
from xetrieval.connect import DuckDb

TEXTS = {
    "sleep": "Cats sleep most of the day and hunt at night.",
    "walks": "Dogs need a walk twice a day, and a long sleep after it.",
    "loans": "A mortgage is a loan that is secured by a house.",
}
QUERY = "how long do dogs sleep"
EXPLAINER = xetrieval.load("minilm")  # of your own corpus: Store(...).learn("my-index")
VECTORS = EXPLAINER.encoder.encode_document([*TEXTS.values()])  # what your store has already


def main() -> None:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE animals (id VARCHAR, body VARCHAR, vector FLOAT[384])")
    rows = [(name, text, vector.tolist()) for (name, text), vector in zip(TEXTS.items(), VECTORS, strict=True)]
    connection.executemany("INSERT INTO animals VALUES (?, ?, ?)", rows)
    store = DuckDb(connection, "animals", (("text", "body"),))  # which column is the text
    for hit in store.search(QUERY, k=2, explainer=EXPLAINER):
        print(hit.rank, hit.doc_id, round(hit.score, 4))
        print(hit, end="\n\n")


if __name__ == "__main__":
    main()
