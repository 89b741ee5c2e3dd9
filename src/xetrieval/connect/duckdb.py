"""DuckDB: duckdb://FILE#TABLE?id=doc_id&text=body&vector=embedding.

A vector column is FLOAT[m] or a list of numbers. No extension is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..arrays import Float32
from ..errors import InputError
from ..extras import require
from ..index.build.stores import Record
from .hits import KEY, StoreHit
from .store import PAGE, Named, TableStore, place_of, quoted


@dataclass(frozen=True)
class DuckDb(TableStore):
    """A table of DuckDB, through a connection."""

    connection: Any
    table: str
    columns: tuple[tuple[str, str], ...] = ()  # (role, column)

    @property
    def name(self) -> str:
        return f"duckdb:{self.table}"

    def records(self) -> Iterator[Record]:
        """Rows by id."""
        columns = self._columns()
        reader = self.connection.cursor()
        reader.execute(f"SELECT {_list(columns)} FROM {quoted(self.table)} ORDER BY {quoted(self.chosen['id'])}")
        number = 0
        while rows := reader.fetchmany(PAGE):
            for row in rows:
                number += 1
                yield self.record(number, dict(zip(columns, row, strict=True)))

    def nearest(self, vector: Float32, k: int) -> list[StoreHit]:
        """The k rows with the largest cosine."""
        columns, kind = self._columns(), f"FLOAT[{len(vector)}]"
        cosine = f"array_cosine_similarity({quoted(self.chosen['vector'])}::{kind}, ?::{kind})"
        query = f"SELECT {_list(columns)}, {cosine} FROM {quoted(self.table)} ORDER BY {cosine} DESC LIMIT {int(k)}"
        rows = self.connection.cursor().execute(query, [vector.tolist()] * 2).fetchall()
        return [self.hit(dict(zip(columns, row[:-1], strict=True)), row[-1]) for row in rows]

    def _write(self, page: Sequence[Named]) -> None:
        table, column = quoted(self.table), quoted(self.chosen["id"])
        writer = self.connection.cursor()
        writer.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {KEY} VARCHAR[]")
        values = [(one.names, one.handle) for one in page]
        writer.executemany(f"UPDATE {table} SET {KEY} = ? WHERE {column} = ?", values)

    def _columns(self) -> list[str]:
        described = self.connection.cursor().execute(f"SELECT * FROM {quoted(self.table)} LIMIT 0").description
        return self.present([column[0] for column in described])

    @classmethod
    def of_url(cls, url: str) -> DuckDb:
        """The table that a URL names.

        Raises:
            InputError: there is no such file. MissingExtra: without duckdb.
        """
        place, table, columns = place_of(url, "duckdb://data.duckdb#documents")
        duckdb = require("duckdb", "duckdb")
        try:
            store = cls(duckdb.connect(place, read_only=True), table, columns)
            store._columns()
        except duckdb.Error as error:
            raise InputError(f"duckdb:{table}: {str(error).splitlines()[0]}") from error
        return store


def _list(columns: list[str]) -> str:
    return ", ".join(map(quoted, columns))


STORE = DuckDb
