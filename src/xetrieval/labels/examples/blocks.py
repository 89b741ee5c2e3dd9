"""A corpus as a stream of encoded passages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32
from ...data import Document
from ...data.passages import Passage, passages_of
from ...encoders import Encoder, PrecomputedEncoder, read_texts


class Block(NamedTuple):
    """Passages and their vectors. All passages of a document are in one block, next to each other."""

    passages: Sequence[Passage]
    vectors: Float32  # [n, m]

    def sides(self, seed: int) -> NDArray[np.int64]:
        """The side of each passage."""
        return np.array([side_of(passage.document, seed) for passage in self.passages], np.int64)

    def owners(self) -> NDArray[np.int64]:
        """For each passage, the position of its document among the block's documents."""
        names = [passage.document for passage in self.passages]
        return np.cumsum([i == 0 or names[i] != names[i - 1] for i in range(len(names))], dtype=np.int64) - 1

    def to_bytes(self) -> Iterator[bytes]:
        """Ids and texts, for hashing."""
        for passage in self.passages:
            yield f"{passage.id}\0{passage.text}\0".encode("utf-8", "surrogatepass")


Blocks: TypeAlias = Callable[[], Iterable[Block]]  # called once per pass, with the same content every time


def side_of(document: str, seed: int) -> int:
    """0 for labellers, 1 for judges; depends only on the document's id."""
    return blake2b(f"{seed}\0{document}".encode("utf-8", "surrogatepass"), digest_size=1).digest()[0] & 1


def passage_blocks(
    documents: Callable[[], Iterable[Document]], encoder: Encoder, per_document: int, size: int = 4096
) -> Iterator[Block]:
    """Documents and their sentences, encoded. Wrap the encoder in a cache: the stream is read three times."""
    by_id = isinstance(encoder, PrecomputedEncoder)
    waiting: list[Passage] = []

    def encoded() -> Block:
        keys = [passage.id if by_id else passage.text for passage in waiting]
        return Block(tuple(waiting), read_texts(encoder, keys, "document").vectors)

    for document in documents():
        waiting += passages_of(document, 0 if by_id else per_document)
        if len(waiting) >= size:
            yield encoded()
            waiting.clear()
    if waiting:
        yield encoded()
