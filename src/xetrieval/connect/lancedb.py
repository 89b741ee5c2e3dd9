"""LanceDB: lancedb://FOLDER#TABLE?id=doc_id&text=body&vector=embedding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..arrays import Float32
from ..errors import InputError
from ..extras import require
from ..index.build.stores import Record
from .hits import StoreHit
from .store import PAGE, TableStore, existing, place_of


@dataclass(frozen=True)
class LanceDb(TableStore):
    """A LanceDB table."""

    table: Any
    columns: tuple[tuple[str, str], ...] = ()  # (role, column)

    metric = "cosine distance"

    @property
    def name(self) -> str:
        return f"lancedb:{self.table.name}"

    def records(self) -> Iterator[Record]:
        """Rows in the order of the table."""
        columns = self.present(self.table.schema.names)
        batches = self.table.search().select(columns).limit(None).to_batches(PAGE)
        rows = (row for batch in batches for row in batch.to_pylist())
        yield from (self.record(number, row) for number, row in enumerate(rows, 1))

    def nearest(self, vector: Float32, k: int) -> list[StoreHit]:
        """The k rows with the smallest cosine distance, which is computed from the full vectors."""
        columns, column = self.present(self.table.schema.names), self.chosen["vector"]
        search = self.table.search(vector, vector_column_name=column).distance_type("cosine").refine_factor(1)
        rows = search.select([*columns, "_distance"]).limit(k).to_list()
        return [self.hit(row, row.pop("_distance")) for row in rows]

    @classmethod
    def of_url(cls, url: str) -> LanceDb:
        """The table that a URL names.

        Raises:
            InputError: there is no such table. MissingExtra: without lancedb.
        """
        place, name, columns = place_of(url, "lancedb://./db#documents")
        lancedb = require("lancedb", "lancedb")
        try:
            return cls(lancedb.connect(existing(place, "folder")).open_table(name), columns)
        except ValueError as error:
            raise InputError(f"lancedb:{name}: {str(error).splitlines()[0]}") from error


STORE = LanceDb
