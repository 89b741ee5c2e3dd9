"""Where vectors already live: one small protocol, and PostgreSQL with pgvector.

    postgresql://user@host/db#TABLE
    postgresql://user@host/db#TABLE?id=doc_id&text=body&title=head&vector=embedding

Columns that are not named so are metadata. A vector column is pgvector's `vector` or `halfvec`, or real[].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import parse_qsl

import numpy as np

from ...arrays import Float32
from ...data import Document
from ...errors import InputError
from ...extras import require

FETCHED: Final = 1000  # rows that cross the wire at once
PLACES: Final = ("id", "text", "title", "vector")


class Record(NamedTuple):
    """A document and the vector that it has already."""

    document: Document
    vector: Float32  # [m]


class VectorStore(Protocol):
    """Anything that can be read in one order, twice over."""

    @property
    def name(self) -> str:
        """What the index's manifest calls it; holds no password."""

    def records(self) -> Iterator[Record]:
        """Every document, always in the same order."""


@dataclass(frozen=True)
class PgVector:
    """A table of PostgreSQL, read through a cursor on the server: memory stays flat."""

    url: str  # without table; passwords may come from PGPASSWORD or .pgpass
    table: str
    columns: tuple[tuple[str, str], ...] = ()  # (place, column): id, text, title, vector

    @property
    def name(self) -> str:
        return f"postgresql:{self.table}"

    def records(self) -> Iterator[Record]:
        """Rows by id.

        Raises:
            InputError: no such server, table or column; a row without id or vector. MissingExtra: without psycopg.
        """
        psycopg = require("psycopg", "pgvector")
        sql = require("psycopg.sql", "pgvector")
        try:
            with psycopg.connect(self.url) as connection:
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                columns = self._columns(connection, sql)
                query = self._query(sql, columns)
                with connection.cursor(name="xetrieval", binary=True) as cursor:
                    cursor.itersize = FETCHED
                    cursor.execute(query)
                    for number, row in enumerate(cursor, 1):
                        yield self._record(number, dict(zip(columns, row, strict=True)))
        except psycopg.Error as error:
            raise InputError(f"{self.name}: {str(error).strip().splitlines()[0]}") from error

    def _columns(self, connection: Any, sql: Any) -> list[str]:
        """All columns of the table, those with a place first, in the order of PLACES."""
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(self._identifier(sql)))
            there = [column.name for column in cursor.description]
        chosen = self._chosen()
        given = dict(self.columns)
        for place, column in chosen.items():
            if column not in there and (place in ("id", "vector") or place in given):
                raise InputError(
                    f"{self.name}: no column {column!r} for the {place}; it has {', '.join(there)}; "
                    f"name it by ?{place}=COLUMN"
                )
        first = [chosen[place] for place in PLACES if chosen[place] in there]
        return [*first, *(column for column in there if column not in first)]

    def _query(self, sql: Any, columns: list[str]) -> Any:
        vector = self._chosen()["vector"]
        wanted = [
            sql.SQL("{}::real[]").format(sql.Identifier(name)) if name == vector else sql.Identifier(name)
            for name in columns
        ]
        return sql.SQL("SELECT {} FROM {} ORDER BY {}").format(
            sql.SQL(", ").join(wanted), self._identifier(sql), sql.Identifier(self._chosen()["id"])
        )

    def _record(self, number: int, row: dict[str, Any]) -> Record:
        chosen = self._chosen()
        identifier, vector = row.pop(chosen["id"]), row.pop(chosen["vector"])
        if identifier is None or vector is None:
            missing = "id" if identifier is None else "vector"
            raise InputError(f"{self.name}, row {number} ({identifier!r}): the {missing} is NULL")
        text, title = (str(row.pop(chosen[place], None) or "").strip() for place in ("text", "title"))
        whole = f"{title}\n{text}".strip()
        metadata = {name: value for name, value in row.items() if value is not None}
        name = str(identifier)
        return Record(
            Document(name, whole, text, name, {"title": title, "metadata": metadata}), np.asarray(vector, np.float32)
        )

    def _chosen(self) -> dict[str, str]:
        return {"id": "id", "text": "text", "title": "title", "vector": "embedding", **dict(self.columns)}

    def _identifier(self, sql: Any) -> Any:
        return sql.Identifier(*self.table.split("."))


def open_store(source: str) -> VectorStore:
    """The store that a URL names.

    Raises:
        InputError: an unknown kind, no table, or a column for a place that there is not.
    """
    if not source.startswith(("postgresql://", "postgres://")):
        raise InputError(f"store {source!r}: give postgresql://HOST/DATABASE#TABLE")
    url, _, rest = source.partition("#")
    table, _, options = rest.partition("?")
    if not table:
        raise InputError("store: name the table behind a #, e.g. postgresql://localhost/db#documents")
    columns = tuple(parse_qsl(options))
    for place, _ in columns:
        if place not in PLACES:
            raise InputError(f"store: {place!r} is no place of a column; name {', '.join(PLACES)}")
    return PgVector(url, table, columns)
