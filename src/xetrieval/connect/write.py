"""Writes an index into a store: documents with their vectors, their codes and the names of their strongest features.

A target is complete or absent: files are published in one step, and a collection that could not be completed is
removed. A target that exists already is refused.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final

import numpy as np

from ..errors import InputError
from ..index import Index
from ..index.build.stores import Record
from ..registry import EXPORT_TARGETS
from ..text import clip
from .hits import KEY
from .store import PAGE, Named, named, place_of, record_of_document

MOST: Final = 8  # names of each document
SPACE: Final = uuid.UUID("1f0c6f2e-6e54-4d0b-9a0e-2b6f4d2b7c11")  # of ids in stores that take no text as an id


def write_index(index: Index, target: str) -> int:
    """Write an index to the target that a URL names. Returns how many documents were written.

    Raises:
        InputError: an unknown kind of target, one that exists already, or an index that cannot be exported.
        MissingExtra: the store's package is not installed.
    """
    scheme, _, rest = target.partition("://")
    if not rest or scheme not in EXPORT_TARGETS:
        known = ", ".join(f"{name}://..." for name in EXPORT_TARGETS)
        raise InputError(f"target {clip(target, 60)!r}: unknown kind of target; give {known}")
    kind = EXPORT_TARGETS[scheme]
    if not place_of(target, kind.example, ())[0]:
        raise InputError(f"target {clip(target, 60)!r}: there is nothing before the #; give it as {kind.example}")
    import_module(f".{kind.file}", __package__).STORE.write_url(index, target)
    return len(index)


def pages(index: Index) -> Iterator[list[Named]]:
    """The documents of an index in its order; the handle of each is its `Record`.

    Raises:
        InputError: there are no documents.
    """
    if not len(index):
        raise InputError(f"{index.folder}: there are no documents to export")
    for start in range(0, len(index.alive), PAGE):
        rows = index.alive[start : start + PAGE]
        found = [_record(index, row, vector) for row, vector in zip(rows.tolist(), index.vectors(rows), strict=True)]
        yield list(named(index.explainer, [(record, record) for record in found], MOST))


def _record(index: Index, row: int, vector: Any) -> Record:
    stored = index.document(row)
    text = stored.text.removeprefix(stored.title).strip() if stored.title else stored.text
    if stored.parent and "parent" in stored.metadata:
        raise _named_twice(stored.id, "parent")
    metadata = {**({"parent": stored.parent} if stored.parent else {}), **stored.metadata}
    return record_of_document(stored.id, vector, text, stored.title, metadata)


def fields_of(one: Named) -> dict[str, Any]:
    """A document's id, title and text, as far as there are any, and the names of its features."""
    document = one.handle.document
    known = {"title": document.fields["title"], "text": document.body}
    return {"id": document.id, **{name: text for name, text in known.items() if text}, KEY: one.names}


def payload_of(one: Named) -> dict[str, Any]:
    """The same, with its metadata beside them.

    Raises:
        InputError: a field of its metadata has the name of another field.
    """
    metadata = one.handle.document.fields["metadata"]
    if both := sorted(metadata.keys() & {"id", "title", "text", KEY}):
        raise _named_twice(one.handle.document.id, both[0])
    return {**metadata, **fields_of(one)}


def _named_twice(doc_id: str, name: str) -> InputError:
    return InputError(
        f"document {clip(doc_id, 60)!r}: its metadata has a field {name!r}, which the export needs; rename it and "
        "build the index again"
    )


def vector_of(one: Named) -> list[float]:
    """A document's vector as plain numbers."""
    numbers: list[float] = np.round(np.asarray(one.handle.vector, np.float64), 9).tolist()
    return numbers


def uuid_of(one: Named) -> str:
    """A document's id as a UUID, the same every time."""
    return str(uuid.uuid5(SPACE, one.handle.document.id))
