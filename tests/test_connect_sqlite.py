"""Tables of SQLite by their keys: vec0 with a primary key of its own, WITHOUT ROWID, views, and what cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from connect_data import IDS, TEXTS, VECTORS, Q

from xetrieval.connect import SqliteVec
from xetrieval.errors import InputError
from xetrieval.index.build.stores import open_store

KEYED = "CREATE VIRTUAL TABLE docs USING vec0(id text primary key, embedding float[64] distance_metric=L2, +text text)"
NUMBERED = "CREATE VIRTUAL TABLE docs USING vec0(number integer primary key, embedding float[64], +text text)"
WITHOUT = "CREATE TABLE docs (id TEXT PRIMARY KEY, embedding BLOB, text TEXT) WITHOUT ROWID"
PAIR = "CREATE TABLE docs (id TEXT, embedding BLOB, text TEXT, PRIMARY KEY (text, id)) WITHOUT ROWID"
PLAIN = "CREATE TABLE docs (id TEXT PRIMARY KEY, embedding BLOB, text TEXT)"


def table(schema: str, place: str = ":memory:", blobs: list[Any] | None = None) -> Any:
    """A connection to a database with the twelve documents, last first."""
    module = pytest.importorskip("sqlite_vec", reason='pip install "xetrieval[sqlite-vec]"')
    connection = pytest.importorskip("apsw", reason='pip install "xetrieval[sqlite-vec]"').Connection(place)
    connection.enable_load_extension(True)
    connection.load_extension(module.loadable_path())
    connection.execute(schema)
    column = "number" if schema == NUMBERED else "id"
    for row, name in reversed([*enumerate(IDS)]):
        blob = VECTORS[row].tobytes() if blobs is None else blobs[0]
        values = (row + 1 if column == "number" else name, blob, TEXTS[name])
        connection.execute(f"INSERT INTO docs({column}, embedding, text) VALUES (?, ?, ?)", values)
    return connection


@pytest.mark.parametrize("schema", [KEYED, NUMBERED, WITHOUT, PLAIN])
def test_documents_come_by_their_primary_key(schema: str, tmp_path: Path) -> None:
    table(schema, str(tmp_path / "docs.db")).close()
    column = "?id=id" if schema == PLAIN else ""
    records = list(open_store(f"sqlite-vec://{tmp_path}/docs.db#docs{column}").records())
    assert [one.document.text for one in records] == [*TEXTS.values()]
    ids = [str(row + 1) for row in range(len(IDS))] if schema == NUMBERED else IDS
    assert [one.document.id for one in records] == ids
    assert (records[3].vector == VECTORS[3]).all()
    assert records[3].document.fields["metadata"] == ({"rowid": 9} if schema == PLAIN else {})


@pytest.mark.parametrize("schema", [KEYED, NUMBERED])
def test_a_table_with_a_key_is_searched(schema: str) -> None:
    hits = SqliteVec(table(schema), "docs").nearest(Q, 3)
    assert [hit.text for hit in hits] == [TEXTS[IDS[row]] for row in (-VECTORS @ Q).argsort(kind="stable")[:3]]


def test_a_key_of_two_columns_orders_and_is_no_id() -> None:
    connection = table(PAIR)
    found = [one.document.text for one in SqliteVec(connection, "docs", (("id", "id"),)).records()]
    assert found == sorted(TEXTS.values())
    with pytest.raises(InputError, match=r"no column 'rowid' for the id; it has id, embedding, text; name it"):
        list(SqliteVec(connection, "docs").records())


def test_a_view_is_read_by_its_id() -> None:
    connection = table(KEYED)
    connection.execute("CREATE VIEW seen AS SELECT id, embedding, text FROM docs")
    assert [one.document.id for one in SqliteVec(connection, "seen", (("id", "id"),)).records()] == IDS


def test_what_cannot_be_read_is_refused_in_words() -> None:
    connection = table(KEYED)
    with pytest.raises(InputError, match="there is no such table"):
        list(SqliteVec(connection, "absent").records())
    with pytest.raises(InputError, match=r"no column 'key' for the id; it has id, embedding, text; name it"):
        list(SqliteVec(connection, "docs", (("id", "key"),)).records())
    with pytest.raises(InputError, match=r"sqlite-vec:docs: cannot be read: Dimension mismatch"):
        SqliteVec(connection, "docs").nearest(Q[:8], 3)
    with pytest.raises(InputError, match="cannot be read: no such column: distance"):
        SqliteVec(table(PLAIN), "docs", (("id", "id"),)).nearest(Q, 3)
    for blob in ("[0.5, 0.5]", b"12345"):
        with pytest.raises(InputError, match="column 'embedding' does not contain vectors of float32"):
            list(SqliteVec(table(PLAIN, blobs=[blob]), "docs", (("id", "id"),)).records())
