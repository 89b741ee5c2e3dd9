"""Explain hits of SQLite with sqlite-vec. apsw: many Pythons' own sqlite3 loads no extensions.

pip install "xetrieval[minilm,sqlite-vec]"
python examples/connect/explain_sqlite_vec.py
"""

from __future__ import annotations

import apsw
import sqlite_vec

import xetrieval
from xetrieval.connect import SqliteVec

TEXTS = {
    "sleep": "Cats sleep most of the day and hunt at night.",
    "walks": "Dogs need a walk twice a day, and a long sleep after it.",
    "loans": "A mortgage is a loan that is secured by a house.",
}
QUERY = "how long do dogs sleep"
EXPLAINER = xetrieval.load("minilm")  # of your own corpus: Store(...).learn("my-index")
VECTORS = EXPLAINER.encoder.encode_document([*TEXTS.values()])  # what your store has already


def main() -> None:
    connection = apsw.Connection(":memory:")
    connection.enable_load_extension(True)  # noqa: FBT003
    connection.load_extension(sqlite_vec.loadable_path())
    connection.execute("CREATE VIRTUAL TABLE animals USING vec0(embedding float[384], id text, +text text)")
    rows = [(name, text, vector.tobytes()) for (name, text), vector in zip(TEXTS.items(), VECTORS, strict=True)]
    connection.executemany("INSERT INTO animals(id, text, embedding) VALUES (?, ?, ?)", rows)
    for hit in SqliteVec(connection, "animals", (("id", "id"),)).search(QUERY, k=2, explainer=EXPLAINER):
        print(hit.rank, hit.doc_id, round(hit.score, 4))
        print(hit, end="\n\n")


if __name__ == "__main__":
    main()
