"""Which row has an id: the newest that was not deleted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..data import Document
from .texts import Texts, fingerprint


class Ids:
    """Ids of an index's documents, over the texts of its shards and its deleted rows, ascending."""

    def __init__(self, texts: Sequence[Texts], firsts: Sequence[int], deleted: NDArray[np.int64]) -> None:
        self.texts, self.firsts, self.deleted = texts, firsts, deleted

    def find(self, identifier: str) -> int | None:
        """The row of an id in the index, None where there is none or it was deleted."""
        for first, texts in zip(reversed(self.firsts), reversed(self.texts), strict=True):
            row = texts.row_of(identifier)
            if row is not None:
                return None if self._deleted(first + row) else first + row
        return None

    def _deleted(self, row: int) -> bool:
        at = int(np.searchsorted(self.deleted, row))
        return at < len(self.deleted) and int(self.deleted[at]) == row

    def holds(self, document: Document) -> bool:
        """Whether this very document is there: its id, with the same text and metadata."""
        row = self.find(document.id)
        if row is None:
            return False
        shard = int(np.searchsorted(self.firsts, row, side="right")) - 1
        return self.texts[shard].mark(row - self.firsts[shard]) == fingerprint(document)
