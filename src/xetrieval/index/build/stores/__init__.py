"""Vector stores that an index can be built from, one file each; `registry` lists them by URL scheme."""

from .base import Record, VectorStore, open_store

__all__ = ["Record", "VectorStore", "open_store"]
