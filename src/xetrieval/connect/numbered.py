"""Vector files that know their documents only by number, such as FAISS, usearch and hnswlib files.

SCHEME://FILE#CORPUS: row i of the file is document i of the corpus.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..data import Document
from ..data.sources import stream_documents
from ..errors import InputError
from ..files import path_of
from ..index.build.stores import Record
from .hits import StoreHit
from .store import PAGE, Store, existing, hit_of, place_of, record_of_document


class NumberedStore(Store):
    """A file of numbered vectors.

    Args:
        documents: the documents by number: {id: text} in the order of the numbers, or a list of documents; without
        any, a document's id is its number.
    """

    label = "vectors"  # what the file is, in messages

    def __init__(self, index: Any, documents: Mapping[str, str] | Sequence[Document] = ()) -> None:
        self.index = index
        if isinstance(documents, Mapping):
            documents = [record_of_document(name, (), text).document for name, text in documents.items()]
        self.documents = documents

    @property
    def name(self) -> str:
        return self.label

    @abstractmethod
    def numbers(self) -> NDArray[np.int64]:
        """The numbers of all vectors, ascending."""

    @abstractmethod
    def vectors(self, numbers: NDArray[np.int64]) -> Float32:
        """The vectors [n, m] with these numbers."""

    @abstractmethod
    def ranked(self, vector: Float32, k: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Numbers and scores of the k nearest; k is at most the number of vectors."""

    def records(self) -> Iterator[Record]:
        """Documents by number."""
        numbers = self.numbers()
        for start in range(0, len(numbers), PAGE):
            page = numbers[start : start + PAGE]
            yield from map(self._record, page.tolist(), self.vectors(page))

    def nearest(self, vector: Float32, k: int) -> list[StoreHit]:
        """The k nearest documents."""
        if not (count := len(self.numbers())):
            return []
        numbers, scores = self.ranked(vector, min(k, count))
        numbers, scores = numbers[numbers >= 0].astype(np.int64), scores[numbers >= 0]  # -1: fewer were found
        if not len(numbers):
            return []
        records = map(self._record, numbers.tolist(), self.vectors(numbers))
        return [hit_of(record, score) for record, score in zip(records, scores.tolist(), strict=True)]

    def _record(self, number: int, vector: Float32) -> Record:
        if not self.documents:
            return record_of_document(str(number), vector)
        if number >= len(self.documents):
            raise InputError(f"{self.name}: vector {number} has no document; there are {len(self.documents):,}")
        return Record(self.documents[number], vector)

    @classmethod
    def read(cls, file: str) -> object:
        """The index in a file, memory-mapped where possible."""
        raise InputError(
            f"{file}: such a file does not record its dimension; open it in Python and pass it to {cls.__name__}"
        )

    @classmethod
    def of_url(cls, url: str) -> Self:
        """The file and the corpus that a URL names.

        Raises:
            InputError: there is no such file. MissingExtra: without the package.
        """
        scheme = url.partition("://")[0]
        file, corpus, _ = place_of(url, f"{scheme}://vectors.{scheme}#corpus.jsonl", ())
        try:
            return cls(cls.read(existing(file)), list(stream_documents([path_of(corpus)])))
        except (RuntimeError, ValueError) as error:
            raise InputError(f"{file}: {str(error).splitlines()[-1]}") from error
