"""A FAISS file: faiss://FILE#CORPUS.

Indexes that compress their vectors (PQ, SQ) return approximations; explanations say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..data import Document
from ..errors import InputError
from ..extras import require
from .numbered import NumberedStore


class Faiss(NumberedStore):
    """A FAISS index."""

    label = "faiss"

    def __init__(self, index: Any, documents: Mapping[str, str] | Sequence[Document] = ()) -> None:
        super().__init__(index, documents)
        faiss = require("faiss", "faiss")
        if index.metric_type not in (faiss.METRIC_INNER_PRODUCT, faiss.METRIC_L2):
            raise InputError("faiss: scores of this metric are not sums over features; use inner product or L2")
        self.metric = "dot" if index.metric_type == faiss.METRIC_INNER_PRODUCT else "squared l2"
        self.ids, inner = None, faiss.downcast_index(index)
        while hasattr(inner, "id_map"):
            self.ids = faiss.vector_to_array(inner.id_map)
            inner = faiss.downcast_index(inner.index)
        self.inner = codes = inner
        while hasattr(codes, "index"):  # a transform such as OPQ, which `inner` reverses
            codes = faiss.downcast_index(codes.index)
        self.quantised = codes is not inner or "Flat" not in type(codes).__name__
        if isinstance(codes, faiss.IndexIVF):
            codes.make_direct_map()

    def numbers(self) -> NDArray[np.int64]:
        if self.ids is not None:
            return np.sort(self.ids)
        if self.index.ntotal < len(self.documents):  # removing vectors shifts the numbers of those behind them
            raise InputError(
                f"faiss: {self.index.ntotal:,} vectors for {len(self.documents):,} documents; give the documents of "
                "these vectors, in the same order"
            )
        return np.arange(self.index.ntotal)

    def vectors(self, numbers: NDArray[np.int64]) -> Float32:
        if self.ids is not None:  # the map itself cannot return vectors
            order = np.argsort(self.ids, kind="stable")
            numbers = order[np.searchsorted(self.ids, numbers, sorter=order)]
        vectors: Float32 = self.inner.reconstruct_batch(numbers)
        return vectors

    def ranked(self, vector: Float32, k: int) -> tuple[NDArray[Any], NDArray[Any]]:
        scores, numbers = self.index.search(vector[None], k)
        return numbers[0], scores[0]

    @classmethod
    def read(cls, file: str) -> object:
        faiss = require("faiss", "faiss")
        try:
            return faiss.read_index(file, faiss.IO_FLAG_MMAP)
        except RuntimeError as error:  # its message is a place in FAISS's own source
            raise InputError("not a FAISS index, or a damaged one") from error


STORE = Faiss
