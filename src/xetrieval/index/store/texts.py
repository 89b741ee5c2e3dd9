"""The documents of one shard in SQLite: ids, titles, texts, metadata, and facts for filters."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, Final

from ...data import Document
from ...data.values import plain
from ...errors import DamagedError, InputError, XetrievalError
from ...explain import Reading
from ...records import Record
from .metadata import ALIKE, facts
from .sealed import REMEDY, open_sealed, read_metadata

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS documents (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, title TEXT NOT NULL, text TEXT NOT NULL,
    parent TEXT, start INTEGER, end INTEGER, unread INTEGER NOT NULL, unknown INTEGER, tokens INTEGER,
    metadata TEXT NOT NULL, mark BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS pieces ON documents (parent) WHERE parent IS NOT NULL;
CREATE TABLE IF NOT EXISTS fields (
    name TEXT NOT NULL, kind TEXT NOT NULL, value NOT NULL, listed INTEGER NOT NULL, row INTEGER NOT NULL,
    PRIMARY KEY (name, kind, value, listed, row)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kinds (
    name TEXT NOT NULL, kind TEXT NOT NULL, listed INTEGER NOT NULL, PRIMARY KEY (name, kind, listed)) WITHOUT ROWID;
"""
COLUMNS: Final = "row, id, title, text, parent, start, end, unread, unknown, tokens, metadata"
TOTALS: Final = (
    "SELECT COUNT(tokens >= 0 OR NULL), TOTAL(MAX(tokens, 0)), TOTAL(unread), COUNT(unread > 0 OR NULL), "
    "COUNT(2 * unknown >= tokens OR NULL) FROM documents"
)


@dataclass(frozen=True)
class ReadTotals:
    """How much of some documents an encoder could read."""

    counted: int = 0  # documents whose tokens were counted
    tokens: int = 0  # tokens that were read
    unread: int = 0  # tokens past its limit
    longer: int = 0  # documents with such tokens
    unreadable: int = 0  # documents of which it knows at most half the tokens

    def __add__(self, other: ReadTotals) -> ReadTotals:
        return ReadTotals(*map(sum, zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: ReadTotals) -> ReadTotals:
        return ReadTotals(*(mine - its for mine, its in zip(astuple(self), astuple(other), strict=True)))


def not_read(read: ReadTotals | None) -> str:
    """How much text is past the encoder's limit, in words; None: it was not recorded."""
    if read is None:
        return "not recorded; build the index again to count it"
    if not read.counted:
        return "not counted: the encoder does not show its tokens, or did not read the texts"
    if not read.unread:
        return f"nothing: the encoder read all {read.tokens:,} tokens"
    part = read.unread / (read.unread + read.tokens)
    return f"{read.unread:,} tokens ({part:.1%}), at the end of {read.longer:,} documents longer than the encoder reads"


@dataclass(frozen=True)
class StoredDocument(Record):
    """A document as stored in the index. `row` is its row in the shard, or in the index if read from an index."""

    row: int
    id: str
    title: str
    text: str  # the text as the encoder read it
    parent: str | None  # id of the document of which this is a chunk
    start: int | None  # parent's text[start:end]
    end: int | None
    read: Reading  # how much of it the encoder could read
    metadata: dict[str, Any]

    json_keys = ("doc_id=id", "title", "text", "metadata", "parent", "start", "end", "read")


class Texts:
    """A shard's documents.sqlite. Sealed shards are opened read-only."""

    def __init__(self, path: Path, *, writable: bool = False) -> None:
        self.path, self.lock = path, threading.Lock()
        try:
            if writable:
                with self._writing():
                    self.db = sqlite3.connect(path, check_same_thread=False)
                    self.db.executescript(SCHEMA)
            else:
                self.db = open_sealed(path, SCHEMA)
        except sqlite3.Error as error:
            raise DamagedError(f"{path}: the texts of the index cannot be opened ({error})") from error

    def add(self, first: int, documents: Sequence[Document], read: Sequence[Reading]) -> None:
        """Add documents as rows first, first + 1, ...; all or none."""
        rows, fields = [], []
        for row, (document, count) in enumerate(zip(documents, read, strict=True), first):
            metadata = _metadata(document)
            title, where = str(document.fields.get("title") or ""), document.chunk or (None, None, None)
            stored = json.dumps(metadata, ensure_ascii=False)
            rows.append((row, document.id, title, document.text, *where, *count, stored, fingerprint(document)))
            fields += [(*fact, row) for fact in facts(metadata)]
        with self._writing(), self.db:
            self.db.executemany("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self.db.executemany("INSERT OR IGNORE INTO fields VALUES (?, ?, ?, ?, ?)", fields)
            kinds = {(name, kind, listed) for name, kind, _, listed, _ in fields}
            self.db.executemany("INSERT OR IGNORE INTO kinds VALUES (?, ?, ?)", sorted(kinds))

    def cut(self, rows: int) -> None:
        """Remove row number `rows` and all later rows."""
        with self._writing(), self.db:
            self.db.execute("DELETE FROM documents WHERE row >= ?", (rows,))
            self.db.execute("DELETE FROM fields WHERE row >= ?", (rows,))

    def check_rows(self, count: int) -> None:
        """Raise DamagedError for a row outside 0 to count - 1."""
        ends = self.select("SELECT (SELECT min(row) FROM documents), (SELECT max(row) FROM documents)")[0]
        if any(row is not None and not 0 <= row < count for row in ends):
            raise DamagedError(f"{self.path}: has rows beyond the {count} of its shard; {REMEDY}")

    def row_of(self, identifier: str) -> int | None:
        """The row of an id."""
        found = self.select("SELECT row FROM documents WHERE id = ?", (identifier,))
        return int(found[0][0]) if found else None

    def rows_of(self, identifier: str) -> list[int]:
        """The rows of an id or of its chunks."""
        query = "SELECT row FROM documents WHERE id = ? OR parent = ? ORDER BY row"
        return [int(row) for (row,) in self.select(query, (identifier, identifier))]

    def whole_of(self, row: int) -> str:
        """The id of the document that a row is a chunk of; its own id if it is not a chunk."""
        found = self.select("SELECT COALESCE(parent, id) FROM documents WHERE row = ?", (row,))
        return str(found[0][0]) if found else ""

    def mark(self, row: int) -> bytes:
        """The fingerprint of a stored document."""
        found = self.select("SELECT mark FROM documents WHERE row = ?", (row,))
        return bytes(found[0][0]) if found else b""

    def get(self, row: int) -> StoredDocument:
        """One document."""
        found = self.select(f"SELECT {COLUMNS} FROM documents WHERE row = ?", (row,))
        if not found:
            raise DamagedError(f"{self.path}: row {row} is missing; run `xetrieval index verify`")
        return _stored(self.path, found[0])

    def select(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """The rows that an SQL query on these tables returns.

        Raises:
            DamagedError: the file cannot be read.
        """
        try:
            with self.lock:
                return self.db.execute(query, values).fetchall()
        except UnicodeEncodeError:  # a lone surrogate, which no stored text has
            return []
        except sqlite3.Error as error:
            raise DamagedError(f"{self.path}: damaged ({error}); run `xetrieval index verify`") from error

    def first_texts(self, count: int) -> list[str]:
        """The texts of the first rows."""
        return [text for (text,) in self.select("SELECT text FROM documents ORDER BY row LIMIT ?", (count,))]

    def kinds(self) -> Iterable[tuple[str, str, bool]]:
        """Metadata fields with the kinds of their values, and whether lists contain them."""
        found = self.select("SELECT name, kind, listed FROM kinds ORDER BY name, kind, listed")
        return ((name, ALIKE.get(kind, kind), bool(listed)) for name, kind, listed in found)

    def read_totals(self, rows: Sequence[int] | None = None) -> ReadTotals:
        """How much of all documents, or of some, the encoder could read."""
        if rows is None:
            return ReadTotals(*map(int, self.select(TOTALS)[0]))
        total = ReadTotals()
        for start in range(0, len(rows), 500):
            some = tuple(rows[start : start + 500])
            found = self.select(f"{TOTALS} WHERE row IN ({', '.join('?' * len(some))})", some)
            total += ReadTotals(*map(int, found[0]))
        return total

    def all(self) -> Iterator[StoredDocument]:
        """Every document, by row."""
        try:
            for found in self.db.execute(f"SELECT {COLUMNS} FROM documents ORDER BY row"):
                yield _stored(self.path, found)
        except sqlite3.Error as error:
            raise DamagedError(f"{self.path}: damaged ({error}); run `xetrieval index verify`") from error

    def digest(self) -> str:
        """A hash of all rows; it does not depend on how SQLite stores them."""
        made = sha256()
        try:
            for table, order in (
                ("documents", "row"),
                ("fields", "name, kind, value, listed, row"),
                ("kinds", "name, kind, listed"),
            ):
                for found in self.db.execute(f"SELECT * FROM {table} ORDER BY {order}"):
                    made.update(
                        json.dumps(found, ensure_ascii=False, default=bytes.hex).encode("utf-8", "surrogatepass")
                    )
        except sqlite3.Error as error:
            raise DamagedError(f"{self.path}: damaged ({error}); restore it, or build the index again") from error
        return made.hexdigest()

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:  # usually a full disk
            raise XetrievalError(f"{self.path}: cannot be written ({error})") from error


def fingerprint(document: Document) -> bytes:
    """A 16-byte hash of what the index stores about a document.

    Raises:
        InputError: metadata that is nested too deeply.
    """
    title = str(document.fields.get("title") or "")
    stored = [document.id, document.text, title, _metadata(document), document.chunk]
    written = json.dumps(stored, ensure_ascii=False, sort_keys=True)
    return blake2b(written.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _metadata(document: Document) -> dict[str, Any]:
    given = document.fields.get("metadata")
    try:
        metadata = plain(given)
    except InputError as error:
        raise InputError(f"document {document.id[:100]!r}: {error}") from error
    return metadata if isinstance(metadata, dict) else {}


def _stored(path: Path, found: Any) -> StoredDocument:
    row, identifier, title, text, parent, start, end, unread, unknown, tokens, metadata = found
    texts, numbers = (identifier, title, text), (start, end, unknown, tokens)
    if (
        not all(isinstance(one, str) for one in texts)
        or not isinstance(parent, str | None)
        or not isinstance(unread, int)
        or not all(isinstance(one, int | None) for one in numbers)
    ):
        raise DamagedError(f"{path}: row {row} has values of the wrong type; run `xetrieval index verify`")
    read = Reading(unread, unknown, tokens)
    return StoredDocument(row, identifier, title, text, parent, start, end, read, read_metadata(path, metadata))
