"""Chroma.

    chroma://FOLDER#COLLECTION
    chroma+http://HOST:PORT#COLLECTION

A collection that was made without an embedding function of its own contains vectors of all-MiniLM-L6-v2, the encoder of
the shipped explainer, so it is explained without encoding a document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ..arrays import Float32
from ..errors import InputError
from ..extras import require
from ..index.build.stores import Record
from .hits import KEY, Metric, StoreHit
from .store import PAGE, Named, Store, existing, hit_of, place_of, record_of_document

SPACES: Final[Mapping[str, Metric]] = {"l2": "squared l2", "cosine": "cosine distance", "ip": "dot distance"}
PARTS: Final = ("embeddings", "documents", "metadatas")  # without naming it, Chroma returns no embeddings


class Chroma(Store):
    """A Chroma collection, embedded or on a server."""

    def __init__(self, collection: Any) -> None:
        self.collection = collection
        config = collection.configuration_json
        space = (config.get("hnsw") or config.get("spann") or {}).get("space") or "l2"
        self.metric = SPACES[space]

    @property
    def name(self) -> str:
        return f"chroma:{self.collection.name}"

    def records(self) -> Iterator[Record]:
        """Documents in the order in which they were added."""
        read = 0
        while (page := self.collection.get(limit=PAGE, offset=read, include=[*PARTS]))["ids"]:
            yield from self._records(*(page[part] for part in ("ids", *PARTS)))
            read += len(page["ids"])

    def nearest(self, vector: Float32, k: int) -> list[StoreHit]:
        """The k nearest documents in the collection's own space."""
        found = self.collection.query(query_embeddings=[vector], n_results=k, include=[*PARTS, "distances"])
        records = self._records(*(found[part][0] for part in ("ids", *PARTS)))
        return [hit_of(record, score) for record, score in zip(records, found["distances"][0], strict=True)]

    def _write(self, page: Sequence[Named]) -> None:
        self.collection.update(ids=[one.handle for one in page], metadatas=[{KEY: one.names} for one in page])

    def _records(self, ids: Any, vectors: Any, texts: Any, metadata: Any) -> Iterator[Record]:
        for name, vector, text, more in zip(ids, vectors, texts, metadata, strict=True):
            yield record_of_document(name, vector, text or "", metadata=more)

    @classmethod
    def of_url(cls, url: str) -> Chroma:
        """The collection that a URL names.

        Raises:
            InputError: there is no such collection. MissingExtra: without chromadb.
        """
        place, name, _ = place_of(url, "chroma://./db#documents", ())
        chromadb = require("chromadb", "chroma")
        settings = chromadb.config.Settings(anonymized_telemetry=False)
        try:
            if url.startswith("chroma+http://"):
                host, _, port = place.partition(":")
                client = chromadb.HttpClient(host, int(port or 8000), settings=settings)
            else:
                client = chromadb.PersistentClient(existing(place, "folder"), settings=settings)
            return cls(client.get_collection(name, embedding_function=None))
        except (ValueError, chromadb.errors.ChromaError) as error:
            raise InputError(f"chroma:{name}: {error}") from error


STORE = Chroma
