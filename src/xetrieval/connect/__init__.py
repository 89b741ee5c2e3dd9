"""Explains hits of stores and frameworks that people already use, and serves explanations to agents.

`explain_hits` explains hits of any store. The classes below read and search one kind of store each:

    from xetrieval.connect import Chroma

    for hit in Chroma(collection).search("why does my build fail", k=5):
        print(hit.doc_id, hit)

Nothing here needs a package until it is used, and then the error is the command that installs it.
"""

from importlib import import_module
from typing import Final

_HOMES: Final = {
    "Chroma": "chroma",
    "DuckDb": "duckdb",
    "Elasticsearch": "elasticsearch",
    "Faiss": "faiss",
    "Hnswlib": "hnswlib",
    "LanceDb": "lancedb",
    "METRICS": "hits",
    "Milvus": "milvus",
    "OpenSearch": "opensearch",
    "PgVector": "pgvector",
    "Qdrant": "qdrant",
    "QdrantEdge": "qdrant_edge",
    "RedisVectors": "redis",
    "SqliteVec": "sqlite_vec",
    "StoreHit": "hits",
    "Usearch": "usearch",
    "explain_hits": "hits",
    "write_index": "write",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
