"""Any function from texts to vectors, as an encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..arrays import Float32, as_vectors
from .base import EncoderIdentity

TextFunction = Callable[[Sequence[str]], Any]


class FunctionEncoder:
    """Wrap one function, or two where queries and documents are encoded differently.

    `name` stands for the weights: change it when they change, for it is all that caches and explainers can see.
    """

    def __init__(self, document: TextFunction, query: TextFunction | None = None, name: str = "function") -> None:
        self._document, self._query = document, query or document
        dimension = self.encode_document(["dimension probe"]).shape[1]
        self.identity = EncoderIdentity(name=name, dimension=dimension)

    def encode_query(self, texts: Sequence[str]) -> Float32:
        """Vectors [n, m]."""
        return as_vectors(self._query(texts))

    def encode_document(self, texts: Sequence[str]) -> Float32:
        """Vectors [n, m]."""
        return as_vectors(self._document(texts))
