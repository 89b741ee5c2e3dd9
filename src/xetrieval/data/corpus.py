"""Documents, and the records that they are made from: _id (or id), title, text, and anything else as metadata."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any, Final, NamedTuple

from .lines import BadLine, Line

OWN_FIELDS: Final = frozenset({"_id", "id", "title", "text", "metadata"})


class Piece(NamedTuple):
    """The span of a document in the one it was cut from: parent's text[start:end]."""

    parent: str
    start: int
    end: int


class Document(NamedTuple):
    """One document. `thread` ties together what must not be split between training and validation."""

    id: str
    text: str  # title and body, as the encoder reads them
    body: str
    thread: str
    fields: dict[str, Any]  # "title" and "metadata"
    piece: Piece | None = None


def sample_documents(documents: list[Document], count: int | None) -> list[Document]:
    """The `count` documents whose ids have the smallest hashes, in the corpus's order; None is all of them."""
    if count is None or count >= len(documents):
        return documents
    by_hash = sorted(range(len(documents)), key=lambda row: sha256(documents[row].id.encode()).digest())
    return [documents[row] for row in sorted(by_hash[:count])]


def documents_of(lines: Iterable[Line | BadLine]) -> Iterator[Document | BadLine]:
    """Records as documents."""
    for line in lines:
        yield line if isinstance(line, BadLine) else document_of(line)


def document_of(line: Line) -> Document | BadLine:
    """The document of a record; bad without an id, or with neither title nor text.

    Other fields are metadata, and so are the entries of an object `metadata`, which win over fields of the same name.
    An `id` that differs from the `_id` is metadata too.
    """
    record = line.record
    identifier = record.get("_id") if record.get("_id") not in (None, "") else record.get("id")
    if isinstance(identifier, bool) or not isinstance(identifier, str | int) or identifier == "":
        return line.bad("field '_id' is missing or not text")
    title, text = line.text("title", required=False), line.text("text", required=False)
    for value in (title, text):
        if isinstance(value, BadLine):
            return value
    title, body = str(title).strip(), str(text).strip()
    whole = f"{title}\n{body}".strip()
    if not whole:
        return line.bad(f"document {str(identifier)[:100]!r} has neither title nor text")
    metadata = {name: value for name, value in record.items() if name not in OWN_FIELDS}
    second = record.get("id")
    if second not in (None, "", identifier):
        metadata["id"] = second
    given = record.get("metadata")
    if isinstance(given, dict):
        metadata |= given
    elif given is not None:
        metadata["metadata"] = given
    parent = metadata.get("parent")
    thread = str(parent) if isinstance(parent, str | int) and parent != "" else str(identifier)
    return Document(str(identifier), whole, body, thread, {"title": title, "metadata": metadata})
