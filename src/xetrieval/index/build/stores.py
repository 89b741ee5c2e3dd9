"""Vector stores that an index can be built from: documents with their vectors, in a fixed order.

Each store is a file of `connect`; `registry` lists them by URL scheme.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from importlib import import_module
from typing import NamedTuple, Self

from ...arrays import Float32
from ...data import Document
from ...errors import InputError
from ...registry import VECTOR_STORES
from ...text import clip


class Record(NamedTuple):
    """A document and its vector."""

    document: Document
    vector: Float32  # [m]


class VectorStore(ABC):
    """A store of vectors. Its file names its class in `STORE`."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Its name in the manifest of an index; it contains no password."""

    @abstractmethod
    def records(self) -> Iterator[Record]:
        """All documents, in the same order every time."""

    @classmethod
    @abstractmethod
    def of_url(cls, url: str) -> Self:
        """The store that a URL names; InputError if it names none."""


def open_store(url: str) -> VectorStore:
    """The store that a URL names, by the URL's scheme.

    Raises:
        InputError: an unknown scheme, or a URL that the store cannot read.
    """
    scheme, _, rest = url.partition("://")
    if not rest or scheme not in VECTOR_STORES:
        known = ", ".join(f"{name}://..." for name in VECTOR_STORES)
        raise InputError(f"store {clip(url, 60)!r}: unknown kind of store; give {known}")
    found: type[VectorStore] = import_module(f".connect.{VECTOR_STORES[scheme]}", __package__.partition(".")[0]).STORE
    return found.of_url(url)
