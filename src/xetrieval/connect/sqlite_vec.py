"""SQLite with sqlite-vec: sqlite-vec://FILE#TABLE?id=doc_id&text=body.

The table is a vec0 table. Without `?id=COLUMN`, a document's id is its rowid. Connections may be of `sqlite3` or of
`apsw`; URLs open the file with `apsw` if Python's sqlite3 loads no extensions, as on macOS.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from ..arrays import Float32
from ..errors import InputError
from ..extras import require
from ..index.build.stores import Record
from .hits import Metric, StoreHit
from .store import TableStore, existing, place_of, quoted


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

    @cached_property
    def metric(self) -> Metric:  # type: ignore[override]
        declared = self.connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (self.table,)).fetchall()
        found = re.search(r"distance_metric\s*=\s*(\w+)", declared[0][0] if declared else "", re.IGNORECASE)
        kind = found.group(1).lower() if found else "l2"
        if kind not in ("cosine", "l2"):
            raise InputError(f"{self.name}: scores by {kind} distance are not sums over features; use cosine or l2")
        return "cosine distance" if kind == "cosine" else "l2"

    def records(self) -> Iterator[Record]:
        """Rows by rowid."""
        columns = self._columns()
        rows = self.connection.execute(f"SELECT {_list(columns)} FROM {quoted(self.table)} ORDER BY rowid")
        for number, row in enumerate(rows, 1):
            yield self.record(number, self._row(columns, row))

    def nearest(self, vector: Float32, k: int) -> list[StoreHit]:
        """The k nearest rows in the table's own metric."""
        columns = self._columns()
        query = (
            f"SELECT {_list(columns)}, distance FROM {quoted(self.table)} "
            f"WHERE {quoted(self.chosen['vector'])} MATCH ? AND k = ? ORDER BY distance"
        )
        rows = self.connection.execute(query, (vector.astype("<f4").tobytes(), k)).fetchall()
        return [self.hit(self._row(columns, row), row[-1]) for row in rows]

    def _row(self, columns: list[str], row: tuple[Any, ...]) -> dict[str, Any]:
        named = dict(zip(columns, row, strict=False))
        if (blob := named[self.chosen["vector"]]) is not None:
            named[self.chosen["vector"]] = np.frombuffer(blob, "<f4")
        return named

    def _columns(self) -> list[str]:
        rows = self.connection.execute(f"PRAGMA table_info({quoted(self.table)})").fetchall()
        return self.present(["rowid", *(row[1] for row in rows if row[1] != "rowid")])

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
