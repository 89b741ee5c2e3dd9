"""Qdrant: a server, or a folder of the client's local mode.

    qdrant+http://HOST:6333#COLLECTION
    qdrant://FOLDER#COLLECTION

Ids of points are numbers or UUIDs. If payloads have an `id`, or the field named by `?id=FIELD`, that is the document's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from ..arrays import Float32
from ..errors import InputError
from ..extras import require
from ..files import new_folder, path_of
from ..index import Index
from ..index.build.stores import Record
from .hits import KEY, Metric, StoreHit
from .store import PAGE, ROLES, Named, TableStore, existing, hit_of, place_of
from .write import pages, payload_of, uuid_of, vector_of

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

EXAMPLE: Final = "qdrant+http://localhost:6333#documents"
DENSE: Final = "dense"  # the vectors of an exported index
DISTANCES: Final[Mapping[str, Metric]] = {"Cosine": "cosine", "Dot": "dot", "Euclid": "l2"}


class Points(TableStore):
    """Points with payloads.

    Args:
        using: the name of the dense vector; "" for a collection with only one.
        columns: (role, field of the payload) for roles whose fields are not called id, text and title.
    """

    def __init__(self, using: str, metric: Metric, columns: tuple[tuple[str, str], ...]) -> None:
        self.using, self.metric, self.columns = using, metric, columns

    def _check_fields(self, points: Sequence[Any]) -> None:
        """Refuse a chosen field that none of these points has: payloads have no schema, so it may be misspelt."""
        there = {field for point in points for field in point.payload or {}}
        for role, field in self.columns if points else ():
            if field not in there:
                have = ", ".join(sorted(there)) or "no fields"
                raise InputError(f"{self.name}: no field {field!r} for the {role}; payloads have {have}")

    def _hit_of(self, point: Any) -> StoreHit:
        return hit_of(self._record_of(point), point.score)

    def _record_of(self, point: Any) -> Record:
        vectors = point.vector
        if isinstance(vectors, dict) and self.using not in vectors:
            raise InputError(f"{self.name}, point {point.id}: no vector {self.using!r}; it has {', '.join(vectors)}")
        vector = vectors[self.using] if isinstance(vectors, dict) else vectors
        chosen = self.chosen
        return self.record(None, {chosen["id"]: point.id, **(point.payload or {}), chosen["vector"]: vector})


class Qdrant(Points):
    """A Qdrant collection, through its client."""

    def __init__(
        self, client: Any, collection: str, using: str = "", columns: tuple[tuple[str, str], ...] = ()
    ) -> None:
        self.client, self.collection = client, collection
        config = client.get_collection(collection).config
        self.rounded = config.quantization_config is not None
        self.sparse = KEY in (config.params.sparse_vectors or {})
        vectors = config.params.vectors
        if isinstance(vectors, dict):
            using = using or next(iter(vectors))
            if using not in vectors:
                raise InputError(f"{self.name}: no vector {using!r}; it has {', '.join(vectors)}")
            vectors = vectors[using]
        if (distance := vectors.distance.value) not in DISTANCES:
            raise InputError(f"{self.name}: scores by {distance} distance are not sums over features")
        super().__init__(using, DISTANCES[distance], columns)
        if columns:
            self._check_fields(client.scroll(collection, limit=PAGE, with_payload=True)[0])

    @property
    def name(self) -> str:
        return f"qdrant:{self.collection}"

    def records(self) -> Iterator[Record]:
        """Points by id."""
        return (record for _, record in self._handles())

    def _handles(self) -> Iterator[tuple[Any, Record]]:
        after, wanted = None, [self.using] if self.using else True
        while True:
            points, after = self.client.scroll(
                self.collection, limit=PAGE, offset=after, with_payload=True, with_vectors=wanted
            )
            yield from ((point.id, self._record_of(point)) for point in points)
            if after is None:
                return

    def nearest(self, vector: Float32, k: int) -> list[StoreHit]:
        """The k nearest points. A quantised collection computes their scores again from the original vectors."""
        models = require("qdrant_client.models", "qdrant")
        options: dict[str, Any] = {"with_payload": True, "with_vectors": [self.using] if self.using else True}
        if self.using:
            options["using"] = self.using
        if self.rounded:
            again = models.QuantizationSearchParams(rescore=True)
            options["search_params"] = models.SearchParams(quantization=again)
        found = self.client.query_points(self.collection, query=vector.tolist(), limit=k, **options)
        return [self._hit_of(point) for point in found.points]

    def _write(self, page: Sequence[Named]) -> None:
        """Names go into the payload; if the collection has a sparse vector of that name, codes go into it."""
        models = require("qdrant_client.models", "qdrant")
        names = [models.SetPayload(payload={KEY: one.names}, points=[one.handle]) for one in page]
        changes = [models.SetPayloadOperation(set_payload=one) for one in names]
        if self.sparse:
            codes = [models.SparseVector(indices=one.feature_ids, values=one.activations) for one in page]
            points = [
                models.PointVectors(id=one.handle, vector={KEY: code}) for one, code in zip(page, codes, strict=True)
            ]
            changes.append(models.UpdateVectorsOperation(update_vectors=models.UpdateVectors(points=points)))
        self.client.batch_update_points(self.collection, changes)

    @classmethod
    def write(cls, index: Index, client: QdrantClient, collection: str) -> Qdrant:
        """Write an index into a new collection: vectors "dense", codes "xetrieval", names in the payload.

        Raises:
            InputError: there is such a collection already, or the index cannot be exported.
        """
        models = require("qdrant_client.models", "qdrant")
        if client.collection_exists(collection):
            raise InputError(f"qdrant:{collection}: exists already; choose another collection or delete it first")
        size = models.VectorParams(size=index.manifest.dimension, distance=models.Distance.COSINE)
        sparse = {KEY: models.SparseVectorParams()}
        client.create_collection(collection, vectors_config={DENSE: size}, sparse_vectors_config=sparse)
        try:
            for page in pages(index):
                codes = [models.SparseVector(indices=one.feature_ids, values=one.activations) for one in page]
                points = [
                    models.PointStruct(
                        id=uuid_of(one), vector={DENSE: vector_of(one), KEY: code}, payload=payload_of(one)
                    )
                    for one, code in zip(page, codes, strict=True)
                ]
                client.upsert(collection, points, wait=True)
        except BaseException:
            client.delete_collection(collection)
            raise
        return cls(client, collection, DENSE)

    @classmethod
    def write_url(cls, index: Index, url: str) -> None:
        """Write an index into the collection that a URL names; a new folder is published when it is complete."""
        place, name, _ = place_of(url, EXAMPLE)
        if url.startswith("qdrant+http://") or path_of(place).exists():
            with _client(url, place) as client:
                cls.write(index, client, name)
            return
        with new_folder(path_of(place)) as made, _client(url, str(made)) as client:
            cls.write(index, client, name)

    @classmethod
    def of_url(cls, url: str) -> Qdrant:
        """The collection that a URL names.

        Raises:
            InputError: there is no such collection. MissingExtra: without qdrant-client.
        """
        place, name, columns = place_of(url, EXAMPLE, ROLES[:3])
        with _named_errors(url):
            return cls(_opened(url, place), name, columns=columns)


def _opened(url: str, place: str) -> Any:
    """The client of a URL. Its folder must exist, since Qdrant would create it."""
    module = require("qdrant_client", "qdrant")
    if url.startswith("qdrant+http://"):
        return module.QdrantClient(url=f"http://{place}", check_compatibility=False)
    return module.QdrantClient(path=existing(place, "folder"))


@contextmanager
def _client(url: str, place: str) -> Iterator[Any]:
    with _named_errors(url):
        client = _opened(url, place)
        try:
            yield client
        finally:
            client.close()


@contextmanager
def _named_errors(url: str) -> Iterator[None]:
    """Qdrant's own errors in one line."""
    exceptions = require("qdrant_client.http.exceptions", "qdrant")
    try:
        yield
    except (ValueError, exceptions.ApiException) as error:
        if isinstance(error, InputError):
            raise
        said = str(error).splitlines() or [type(error).__name__]
        raise InputError(f"qdrant:{url.partition('#')[2]}: {said[0]}") from error


STORE = Qdrant
