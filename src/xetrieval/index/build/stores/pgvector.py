"""Vectors in PostgreSQL with pgvector.

    postgresql://user@host/db#TABLE
    postgresql://user@host/db#TABLE?id=doc_id&text=body&title=head&vector=embedding

Columns without a role are metadata. A vector column is pgvector's `vector` or `halfvec`, or real[].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

import numpy as np

from ....data import Document
from ....errors import InputError
from ....extras import require
from .base import Record, VectorStore

FETCHED: Final = 1000  # rows fetched at once
ROLES: Final = ("id", "text", "title", "vector")


@dataclass(frozen=True)
class PgVector(VectorStore):
    """A table of PostgreSQL, read through a cursor on the server, so memory use stays constant."""

    url: str  # without table; passwords may come from PGPASSWORD or .pgpass
    table: str
    columns: tuple[tuple[str, str], ...] = ()  # (role, column)

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
        """All columns of the table; those with a role come first, in the order of ROLES."""
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(self._identifier(sql)))
            there = [column.name for column in cursor.description]
        chosen = self._chosen()
        given = dict(self.columns)
        for role, column in chosen.items():
            if column not in there and (role in ("id", "vector") or role in given):
                raise InputError(
                    f"{self.name}: no column {column!r} for the {role}; it has {', '.join(there)}; "
                    f"name it with ?{role}=COLUMN"
                )
        first = [chosen[role] for role in ROLES if chosen[role] in there]
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
        text, title = (str(row.pop(chosen[role], None) or "").strip() for role in ("text", "title"))
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

    @classmethod
    def of_url(cls, url: str) -> PgVector:
        """The table that a URL names.

        Raises:
            InputError: no table, or an unknown role.
        """
        server, _, rest = url.partition("#")
        table, _, options = rest.partition("?")
        if not table:
            raise InputError("store: name the table after a #, e.g. postgresql://localhost/db#documents")
        columns = tuple(parse_qsl(options))
        for role, _ in columns:
            if role not in ROLES:
                raise InputError(f"store: {role!r} is not the role of a column; choose from {', '.join(ROLES)}")
        return cls(server, table, columns)


STORE = PgVector
