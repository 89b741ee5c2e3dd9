"""Qdrant Edge, Qdrant's in-process engine: qdrant-edge://FOLDER#VECTOR?id=doc_id."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..arrays import Float32
from ..errors import InputError
from ..extras import require
from ..files import new_folder, path_of
from ..index import Index
from ..index.build.stores import Record
from .hits import KEY, Metric, StoreHit
from .qdrant import Points
from .store import PAGE, ROLES, existing, place_of
from .write import pages, payload_of, uuid_of, vector_of


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

    @staticmethod
    def write(index: Index, folder: str | Path, using: str = "dense") -> None:
        """Write an index into a new shard: vectors `using`, codes "xetrieval", names in the payload.

        Raises:
            InputError: there is something in the folder already, or the index cannot be exported.
        """
        edge = require("qdrant_edge", "qdrant-edge")
        dense = {using: edge.EdgeVectorParams(index.manifest.dimension, edge.Distance.Cosine)}
        config = edge.EdgeConfig(vectors=dense, sparse_vectors={KEY: edge.EdgeSparseVectorParams()})
        with new_folder(path_of(folder)) as made:
            shard = edge.EdgeShard.create(str(made), config)
            for page in pages(index):
                codes = [edge.SparseVector(indices=one.feature_ids, values=one.activations) for one in page]
                points = [
                    edge.Point(uuid_of(one), {using: vector_of(one), KEY: code}, payload_of(one))
                    for one, code in zip(page, codes, strict=True)
                ]
                shard.update(edge.UpdateOperation.upsert_points(points))
            shard.close()

    @classmethod
    def write_url(cls, index: Index, url: str) -> None:
        """Write an index into the shard that a URL names."""
        place, using, _ = place_of(url, "qdrant-edge://./shard#dense")
        cls.write(index, place, using)

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
