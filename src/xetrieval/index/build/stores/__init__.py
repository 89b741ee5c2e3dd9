"""Where vectors already are: one file for each kind of store; `registry` lists them by URL scheme."""

from .base import Record, VectorStore, open_store

__all__ = ["Record", "VectorStore", "open_store"]
