"""SQLite with sqlite-vec: sqlite-vec://FILE#TABLE?id=doc_id&text=body.

The table is a vec0 table. Without `?id=COLUMN`, a document's id is its rowid; in a table without rowids, it is the
primary key. Connections may be of `sqlite3` or of `apsw`; URLs open the file with `apsw` if Python's sqlite3 loads no
extensions, as on macOS.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..arrays import Float32
from ..errors import InputError
from ..extras import require
from ..index.build.stores import Record
from .hits import Metric, StoreHit
from .store import TableStore, existing, place_of, quoted


class Schema(NamedTuple):
    """The columns of a table, and those of its primary key in order."""

    columns: list[str]  # with rowid, if the table has it
    key: list[str]


@dataclass(frozen=True)
class SqliteVec(TableStore):
    """A vec0 table of sqlite-vec, through a connection that has loaded the extension."""

    connection: Any
    table: str
    columns: tuple[tuple[str, str], ...] = ()  # (role, column)

    usual: ClassVar[Mapping[str, str]] = {**TableStore.usual, "id": "rowid", "vector": "embedding"}

    @property
    def name(self) -> str:
        return f"sqlite-vec:{self.table}"

    @property
    def chosen(self) -> dict[str, str]:
        """The column of each role."""
        columns, key = self._schema
        own_id = {"id": key[0]} if "rowid" not in columns and len(key) == 1 else {}
        return {**self.usual, **own_id, **dict(self.columns)}

    @cached_property
    def metric(self) -> Metric:  # type: ignore[override]
        declared = list(self._select("SELECT sql FROM sqlite_master WHERE name = ?", (self.table,)))
        found = re.search(r"distance_metric\s*=\s*(\w+)", declared[0][0] if declared else "", re.IGNORECASE)
        kind = found.group(1).lower() if found else "l2"
        if kind not in ("cosine", "l2"):
            raise InputError(f"{self.name}: scores by {kind} distance are not sums over features; use cosine or l2")
        return "cosine distance" if kind == "cosine" else "l2"

    def records(self) -> Iterator[Record]:
        """Rows by primary key, else by rowid; those of a view by id."""
        columns, (there, key) = self._columns(), self._schema
        order = key or ["rowid" if "rowid" in there else self.chosen["id"]]
        rows = self._select(f"SELECT {_list(columns)} FROM {quoted(self.table)} ORDER BY {_list(order)}")
        for number, row in enumerate(rows, 1):
            yield self.record(number, self._row(columns, row))

    def nearest(self, vector: Float32, k: int) -> list[StoreHit]:
        """The k nearest rows in the table's own metric."""
        columns = self._columns()
        query = (
            f"SELECT {_list(columns)}, distance FROM {quoted(self.table)} "
            f"WHERE {quoted(self.chosen['vector'])} MATCH ? AND k = ? ORDER BY distance"
        )
        rows = self._select(query, (vector.astype("<f4").tobytes(), k))
        return [self.hit(self._row(columns, row), row[-1]) for row in rows]

    def _row(self, columns: list[str], row: tuple[Any, ...]) -> dict[str, Any]:
        named = dict(zip(columns, row, strict=False))
        column = self.chosen["vector"]
        if (blob := named[column]) is not None:
            try:
                named[column] = np.frombuffer(blob, "<f4")
            except (TypeError, ValueError) as error:
                raise InputError(f"{self.name}: column {column!r} does not contain vectors of float32") from error
        return named

    def _columns(self) -> list[str]:
        return self.present(self._schema.columns)

    @cached_property
    def _schema(self) -> Schema:
        rows = list(self._select(f"PRAGMA table_info({quoted(self.table)})"))
        if not rows:
            raise InputError(f"{self.name}: there is no such table")
        columns = [row[1] for row in rows if row[1] != "rowid"]
        try:
            list(self._select(f"SELECT rowid FROM {quoted(self.table)} LIMIT 0"))
            columns.insert(0, "rowid")
        except InputError:  # a view, WITHOUT ROWID, or a vec0 table with a primary key of its own
            pass
        return Schema(columns, [row[1] for row in sorted(rows, key=lambda row: row[5]) if row[5]])

    def _select(self, query: str, values: tuple[object, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query.

        Raises:
            InputError: SQLite refuses it.
        """
        own = isinstance(self.connection, sqlite3.Connection)
        failed = sqlite3.Error if own else require("apsw", "sqlite-vec").Error
        try:
            yield from self.connection.execute(query, values)
        except failed as error:
            raise InputError(f"{self.name}: cannot be read: {str(error).splitlines()[0]}") from error

    @classmethod
    def of_url(cls, url: str) -> SqliteVec:
        """The table that a URL names.

        Raises:
            InputError: there is no such file or table. MissingExtra: without sqlite-vec, or without apsw where it is
            needed.
        """
        place, table, columns = place_of(url, "sqlite-vec://data.db#documents")
        loadable = require("sqlite_vec", "sqlite-vec").loadable_path()
        own = hasattr(sqlite3.Connection, "enable_load_extension")
        apsw = None if own else require("apsw", "sqlite-vec")
        connect, failed = (sqlite3.connect, sqlite3.Error) if apsw is None else (apsw.Connection, apsw.Error)
        try:
            connection: Any = connect(existing(place))
            connection.enable_load_extension(True)  # noqa: FBT003
            connection.load_extension(loadable)
            connection.enable_load_extension(False)  # noqa: FBT003
            store = cls(connection, table, columns)
            store._columns()
        except failed as error:
            raise InputError(f"{place}: {error}") from error
        return store


def _list(columns: list[str]) -> str:
    return ", ".join("rowid" if name == "rowid" else quoted(name) for name in columns)


STORE = SqliteVec
