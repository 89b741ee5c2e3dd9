"""PostgreSQL with pgvector.

    postgresql://user@host/db#TABLE
    postgresql://user@host/db#TABLE?id=doc_id&text=body&title=head&vector=embedding

Columns without a role are metadata. A vector column is pgvector's `vector` or `halfvec`, or real[].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from ..arrays import Float32
from ..errors import InputError
from ..extras import require
from ..index.build.stores import Record
from .hits import KEY, StoreHit
from .store import PAGE, Named, TableStore, place_of

DISTANCE = "xetrieval_distance"  # a name that no column of the table has


@dataclass(frozen=True)
class PgVector(TableStore):
    """A PostgreSQL table, read through a server-side cursor, so memory use stays constant."""

    url: str  # without table; passwords may come from PGPASSWORD or .pgpass
    table: str
    columns: tuple[tuple[str, str], ...] = ()  # (role, column)

    metric = "cosine distance"
    usual: ClassVar[Mapping[str, str]] = {**TableStore.usual, "vector": "embedding"}

    @property
    def name(self) -> str:
        return f"postgresql:{self.table}"

    def records(self) -> Iterator[Record]:
        """Rows by id.

        Raises:
            InputError: no such server, table or column; a row without id or vector. MissingExtra: without psycopg.
        """
        sql = require("psycopg.sql", "pgvector")
        with self._opened() as connection:
            columns = self._columns(connection, sql)
            query = self._select(sql, columns, sql.SQL("")) + sql.SQL(" ORDER BY {}").format(self._column(sql, "id"))
            with connection.cursor(name="xetrieval", binary=True) as cursor:
                cursor.itersize = PAGE
                cursor.execute(query)
                for number, row in enumerate(cursor, 1):
                    yield self.record(number, dict(zip(columns, row, strict=True)))

    def nearest(self, vector: Float32, k: int) -> list[StoreHit]:
        """The k rows with the smallest cosine distance; an index on the column is used.

        Raises:
            InputError: as for `records`. MissingExtra: without psycopg.
        """
        sql = require("psycopg.sql", "pgvector")
        with self._opened() as connection:
            columns = self._columns(connection, sql)
            distance = sql.SQL(", {} <=> %s::vector AS {}").format(
                self._column(sql, "vector"), sql.Identifier(DISTANCE)
            )
            query = self._select(sql, columns, distance) + sql.SQL(" ORDER BY {} LIMIT %s").format(
                sql.Identifier(DISTANCE)
            )
            rows = connection.execute(query, (str(vector.tolist()), k)).fetchall()
        return [self.hit(dict(zip(columns, row[:-1], strict=True)), row[-1]) for row in rows]

    def _write(self, page: Sequence[Named]) -> None:
        sql = require("psycopg.sql", "pgvector")
        table, column, names = self._identifier(sql), self._column(sql, "id"), sql.Identifier(KEY)
        update = sql.SQL("UPDATE {} SET {} = %s WHERE {} = %s").format(table, names, column)
        with self._opened() as connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} text[]").format(table, names))
            cursor.executemany(update, [(one.names, one.handle) for one in page])

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        psycopg = require("psycopg", "pgvector")
        try:
            with psycopg.connect(self.url) as connection:
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                yield connection
        except psycopg.Error as error:
            raise InputError(f"{self.name}: {str(error).strip().splitlines()[0]}") from error

    def _columns(self, connection: Any, sql: Any) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(self._identifier(sql)))
            return self.present([column.name for column in cursor.description])

    def _select(self, sql: Any, columns: list[str], more: Any) -> Any:
        vector = self.chosen["vector"]
        wanted = [
            sql.SQL("{}::real[]").format(sql.Identifier(name)) if name == vector else sql.Identifier(name)
            for name in columns
        ]
        return sql.SQL("SELECT {}{} FROM {}").format(sql.SQL(", ").join(wanted), more, self._identifier(sql))

    def _column(self, sql: Any, role: str) -> Any:
        return sql.Identifier(self.chosen[role])

    def _identifier(self, sql: Any) -> Any:
        return sql.Identifier(*self.table.split("."))

    @classmethod
    def of_url(cls, url: str) -> PgVector:
        """The table that a URL names.

        Raises:
            InputError: no table, or an unknown role.
        """
        _, table, columns = place_of(url, "postgresql://localhost/db#documents")
        return cls(url.partition("#")[0], table, columns)


STORE = PgVector
