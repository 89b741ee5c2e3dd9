"""Qdrant Edge, Qdrant's in-process engine: qdrant-edge://FOLDER#VECTOR?id=doc_id."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..arrays import Float32
from ..errors import InputError
from ..extras import require
from ..index.build.stores import Record
from .hits import Metric, StoreHit
from .qdrant import Points
from .store import PAGE, ROLES, existing, place_of


class QdrantEdge(Points):
    """A Qdrant Edge shard, which does not report its metric."""

    def __init__(
        self, shard: Any, using: str, columns: tuple[tuple[str, str], ...] = (), metric: Metric = "cosine"
    ) -> None:
        self.shard = shard
        super().__init__(using, metric, columns)
        if columns:
            edge = require("qdrant_edge", "qdrant-edge")
            self._check_fields(shard.scroll(edge.ScrollRequest(limit=PAGE, with_vector=False, with_payload=True))[0])

    @property
    def name(self) -> str:
        return "qdrant-edge"

    def records(self) -> Iterator[Record]:
        """Points by id."""
        edge = require("qdrant_edge", "qdrant-edge")
        after = None
        while True:
            wanted = edge.ScrollRequest(offset=after, limit=PAGE, with_vector=True, with_payload=True)
            points, after = self.shard.scroll(wanted)
            yield from map(self._record_of, points)
            if after is None:
                return

    def nearest(self, vector: Float32, k: int) -> list[StoreHit]:
        """The k nearest points."""
        edge = require("qdrant_edge", "qdrant-edge")
        query = edge.Query.Nearest(vector.tolist(), using=self.using)
        found = self.shard.query(edge.QueryRequest(limit=k, query=query, with_vector=True, with_payload=True))
        return [self._hit_of(point) for point in found]

    @classmethod
    def of_url(cls, url: str) -> QdrantEdge:
        """The shard that a URL names.

        Raises:
            InputError: there is no such folder or vector. MissingExtra: without qdrant-edge-py.
        """
        place, using, columns = place_of(url, "qdrant-edge://./shard#dense", ROLES[:3])
        edge = require("qdrant_edge", "qdrant-edge")
        try:
            return cls(edge.EdgeShard.load(existing(place, "folder")), using, columns)
        except Exception as error:  # it has no class of its own
            raise InputError(f"{place}: {error}") from error


STORE = QdrantEdge
