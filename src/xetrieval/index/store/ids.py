"""Finds documents by id, and works out what a corpus would change in an index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data import Document
from ...errors import InputError
from .layout import SHARDS, TEXTS
from .manifest import Manifest
from .texts import Texts, fingerprint


class IdLookup:
    """Finds documents by id in the shards of an index. `deleted` is in ascending order."""

    def __init__(self, texts: Sequence[Texts], firsts: Sequence[int], deleted: NDArray[np.int64]) -> None:
        self.texts, self.firsts, self.deleted = texts, firsts, deleted

    def find(self, identifier: str) -> int | None:
        """The row of an id in the index; None if it is absent or deleted."""
        for first, texts in zip(reversed(self.firsts), reversed(self.texts), strict=True):
            row = texts.row_of(identifier)
            if row is not None:
                return None if self._deleted(first + row) else first + row
        return None

    def rows_of(self, identifier: str) -> list[int]:
        """The rows of an id or of its chunks, without deleted ones."""
        every = zip(self.firsts, self.texts, strict=True)
        rows = [first + row for first, texts in every for row in texts.rows_of(identifier)]
        return [row for row in rows if not self._deleted(row)]

    def whole_of(self, row: int) -> str:
        """The id of the document that a row is a chunk of; its own id if it is not a chunk."""
        shard = self._shard(row)
        return self.texts[shard].whole_of(row - self.firsts[shard])

    def _shard(self, row: int) -> int:
        return int(np.searchsorted(self.firsts, row, side="right")) - 1

    def _deleted(self, row: int) -> bool:
        at = int(np.searchsorted(self.deleted, row))
        return at < len(self.deleted) and int(self.deleted[at]) == row

    def has(self, document: Document) -> bool:
        """Whether the index has this id with the same text and metadata."""
        row = self.find(document.id)
        if row is None:
            return False
        shard = self._shard(row)
        return self.texts[shard].mark(row - self.firsts[shard]) == fingerprint(document)


@contextmanager
def open_ids(folder: Path, manifest: Manifest) -> Iterator[IdLookup]:
    """The ids of the index in `folder`, for lookups while it is changed; closes its files at the end."""
    with ExitStack() as stack:
        texts = [
            stack.enter_context(closing(Texts(folder / SHARDS / shard["name"] / TEXTS))) for shard in manifest.shards
        ]
        yield IdLookup(texts, manifest.firsts, manifest.deleted_rows(folder))


class Change(NamedTuple):
    """What a corpus would change."""

    added: int
    updated: int
    unchanged: int
    removed: int  # old chunks of documents that were cut differently
    gone: list[int]  # rows of the index that are replaced or removed, ascending


def change(documents: Iterable[Document], have: IdLookup, *, replace_all: bool) -> Change:
    """Compare a corpus with an index. A document's old rows (whole or chunks) are replaced or removed.

    Args:
        replace_all: replace equal documents too, because their vectors may differ.
    Raises:
        InputError: an id that already belongs to a chunk of another document.
    """
    added = updated = unchanged = 0
    gone: list[int] = []
    for whole, parts in groupby(documents, key=whole_of):
        old = set(_own_rows(have, whole, whole))
        for document in parts:
            if document.id != whole:
                _own_rows(have, document.id, whole)
            row = have.find(document.id)
            if row is None:
                added += 1
                continue
            if not replace_all and have.has(document):
                unchanged += 1
                old.discard(row)
            else:
                updated += 1
        gone += old
    return Change(added, updated, unchanged, len(gone) - updated, sorted(gone))


def _own_rows(have: IdLookup, identifier: str, whole: str) -> list[int]:
    """The rows of an id and of its chunks, which must all belong to the document `whole`."""
    rows = have.rows_of(identifier)
    other = next((owner for row in rows if (owner := have.whole_of(row)) != whole), None)
    if other is not None:
        raise InputError(
            f"document id {identifier!r} is taken: the index has a chunk or a document of that id, which belongs to "
            f"{other!r}; rename one of them"
        )
    return rows


def whole_of(document: Document) -> str:
    """The id of the document that this one is a chunk of; its own id if it is not a chunk."""
    return document.id if document.chunk is None else document.chunk.parent
