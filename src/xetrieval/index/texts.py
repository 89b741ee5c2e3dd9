"""The texts of one shard in SQLite: ids, titles, texts, metadata, and what to filter by."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data import Document
from ..errors import DamagedError
from ..explain import Reading

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS documents (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, title TEXT NOT NULL, text TEXT NOT NULL,
    parent TEXT, start INTEGER, end INTEGER, unread INTEGER NOT NULL, unknown INTEGER, tokens INTEGER,
    metadata TEXT NOT NULL, mark BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS pieces ON documents (parent) WHERE parent IS NOT NULL;
CREATE TABLE IF NOT EXISTS fields (
    name TEXT NOT NULL, value TEXT NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (name, value, row)) WITHOUT ROWID;
"""
LONGEST_VALUE: Final = 256  # characters; longer metadata is kept but not filtered by
COLUMNS: Final = "row, id, title, text, parent, start, end, unread, unknown, tokens, metadata"


class Stored(NamedTuple):
    """A document as the index keeps it. `row` is its place in the shard, or in the index where an index gives it."""

    row: int
    id: str
    title: str
    text: str  # as the encoder read it
    parent: str | None  # the document that it is a piece of
    start: int | None  # parent's text[start:end]
    end: int | None
    read: Reading  # how much of it the encoder could read
    metadata: dict[str, Any]


class Texts:
    """A shard's documents.sqlite. Sealed shards are opened read-only."""

    def __init__(self, path: Path, writable: bool = False) -> None:
        self.path, self.lock = path, threading.Lock()
        how = "" if writable else "?mode=ro&immutable=1"
        try:
            self.db = sqlite3.connect(f"{path.resolve().as_uri()}{how}", uri=True, check_same_thread=False)
            if writable:
                self.db.executescript(SCHEMA)
        except sqlite3.Error as error:
            raise DamagedError(f"{path}: the index's texts cannot be opened ({error})") from error

    def add(self, first: int, documents: Sequence[Document], read: Sequence[Reading]) -> None:
        """Documents as rows first, first + 1, ...; all or none."""
        rows, fields = [], []
        for row, (document, count) in enumerate(zip(documents, read, strict=True), first):
            given = document.fields
            metadata = given.get("metadata") if isinstance(given.get("metadata"), dict) else {}
            title, where = str(given.get("title") or ""), document.piece or (None, None, None)
            stored = json.dumps(metadata, ensure_ascii=False, default=str)
            rows.append((row, document.id, title, document.text, *where, *count, stored, fingerprint(document)))
            fields += [(name, value, row) for name, value in _pairs(metadata or {})]
        with self.db:
            self.db.executemany("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self.db.executemany("INSERT OR IGNORE INTO fields VALUES (?, ?, ?)", fields)

    def cut(self, rows: int) -> None:
        """Forget what lies at `rows` and after."""
        with self.db:
            self.db.execute("DELETE FROM documents WHERE row >= ?", (rows,))
            self.db.execute("DELETE FROM fields WHERE row >= ?", (rows,))

    def row_of(self, identifier: str) -> int | None:
        """The row of an id."""
        found = self._all("SELECT row FROM documents WHERE id = ?", (identifier,))
        return int(found[0][0]) if found else None

    def rows_of(self, identifier: str) -> list[int]:
        """The rows of an id, or of the pieces it was cut into."""
        query = "SELECT row FROM documents WHERE id = ? OR parent = ? ORDER BY row"
        return [int(row) for (row,) in self._all(query, (identifier, identifier))]

    def mark(self, row: int) -> bytes:
        """The fingerprint of what is stored of one document."""
        found = self._all("SELECT mark FROM documents WHERE row = ?", (row,))
        return bytes(found[0][0]) if found else b""

    def get(self, row: int) -> Stored:
        """One document."""
        found = self._all(f"SELECT {COLUMNS} FROM documents WHERE row = ?", (row,))
        if not found:
            raise DamagedError(f"{self.path}: has no row {row}; run `xetrieval index verify`")
        return _stored(found[0])

    def filtered(self, name: str, values: Sequence[str]) -> NDArray[np.int64]:
        """Rows whose metadata field has one of these values, ascending."""
        marks = ",".join("?" * len(values))
        found = self._all(
            f"SELECT DISTINCT row FROM fields WHERE name = ? AND value IN ({marks}) ORDER BY row", (name, *values)
        )
        return np.array([row for (row,) in found], np.int64)

    def unreadable(self) -> int:
        """Documents of which the encoder knows at most half of the tokens."""
        return int(self._all("SELECT COUNT(*) FROM documents WHERE 2 * unknown >= tokens", ())[0][0])

    def field_names(self) -> list[str]:
        """The metadata fields that a filter can name."""
        return [name for (name,) in self._all("SELECT DISTINCT name FROM fields ORDER BY name", ())]

    def all(self) -> Iterable[Stored]:
        """Every document, by row."""
        return (_stored(found) for found in self.db.execute(f"SELECT {COLUMNS} FROM documents ORDER BY row"))

    def digest(self) -> str:
        """A hash of all that is stored, whatever the file's bytes are."""
        made = sha256()
        try:
            for table, order in (("documents", "row"), ("fields", "name, value, row")):
                for found in self.db.execute(f"SELECT * FROM {table} ORDER BY {order}"):
                    made.update(
                        json.dumps(found, ensure_ascii=False, default=bytes.hex).encode("utf-8", "surrogatepass")
                    )
        except sqlite3.Error as error:
            raise DamagedError(f"{self.path}: damaged ({error}); restore it, or build the index again") from error
        return made.hexdigest()

    def close(self) -> None:
        """Let the file go."""
        self.db.close()

    def _all(self, query: str, values: tuple[Any, ...]) -> list[Any]:
        try:
            with self.lock:
                return self.db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise DamagedError(f"{self.path}: damaged ({error}); run `xetrieval index verify`") from error


def fingerprint(document: Document) -> bytes:
    """16 bytes that change whenever what the index stores of a document does."""
    fields = {key: document.fields.get(key) for key in ("title", "metadata")}
    facts = json.dumps(
        [document.id, document.text, fields, document.piece], ensure_ascii=False, default=str, sort_keys=True
    )
    return blake2b(facts.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _pairs(metadata: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, value in metadata.items():
        for one in value if isinstance(value, list | tuple) else (value,):
            if isinstance(one, str | int | float | bool) and len(str(one)) <= LONGEST_VALUE:
                yield str(name), str(one)


def _stored(found: Any) -> Stored:
    row, identifier, title, text, parent, start, end, unread, unknown, tokens, metadata = found
    read = Reading(unread, unknown, tokens)
    return Stored(row, identifier, title, text, parent, start, end, read, json.loads(metadata))
