"""Milvus and Milvus Lite.

milvus://FILE#COLLECTION?id=doc_id&text=body
milvus+http://HOST:19530#COLLECTION
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..arrays import Float32
from ..errors import InputError
from ..extras import require
from ..index.build.stores import Record
from .hits import Metric, StoreHit
from .store import PAGE, TableStore, existing, place_of

KINDS: Final[Mapping[str, Metric]] = {"COSINE": "cosine", "IP": "dot", "L2": "squared l2"}


class Milvus(TableStore):
    """A Milvus collection, through its client."""

    def __init__(self, client: Any, collection: str, columns: tuple[tuple[str, str], ...] = ()) -> None:
        self.client, self.collection, self.columns = client, collection, columns
        described = client.describe_collection(collection)
        there = [field["name"] for field in described["fields"]]
        if described.get("enable_dynamic_field"):  # any other field may be there too
            there += [column for column in self.chosen.values() if column not in there]
        self.fields = self.present(there)
        indexes = (client.describe_index(collection, name) for name in client.list_indexes(collection))
        kinds = [one["metric_type"] for one in indexes if one["field_name"] == self.chosen["vector"]]
        if not kinds or kinds[0] not in KINDS:
            raise InputError(f"{self.name}: its vectors need an index of the metric COSINE, IP or L2")
        self.metric = KINDS[kinds[0]]
        client.load_collection(collection)

    @property
    def name(self) -> str:
        return f"milvus:{self.collection}"

    def records(self) -> Iterator[Record]:
        """Rows by primary key."""
        pages = self.client.query_iterator(self.collection, batch_size=PAGE, output_fields=self.fields)
        number = 0
        while page := pages.next():
            for row in page:
                number += 1
                yield self.record(number, row)
        pages.close()

    def nearest(self, vector: Float32, k: int) -> list[StoreHit]:
        """The k nearest rows."""
        column = self.chosen["vector"]
        found = self.client.search(
            self.collection, data=[vector.tolist()], anns_field=column, limit=k, output_fields=self.fields
        )
        return [self.hit(row["entity"], row["distance"]) for row in found[0]]

    @classmethod
    def of_url(cls, url: str) -> Milvus:
        """The collection that a URL names.

        Raises:
            InputError: there is no such collection. MissingExtra: without pymilvus.
        """
        place, name, columns = place_of(url, "milvus://./milvus.db#documents")
        module = require("pymilvus", "milvus")
        try:
            client = module.MilvusClient(
                f"http://{place}" if url.startswith("milvus+http://") else existing(place, "file or folder")
            )
            return cls(client, name, columns)
        except module.MilvusException as error:
            raise InputError(f"milvus:{name}: {error.message}") from error


STORE = Milvus
