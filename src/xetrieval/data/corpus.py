"""Documents, and the records they are made from: _id (or id), title and text; all other fields are metadata."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final, NamedTuple

from ..records import brief
from .lines import Line

OWN_FIELDS: Final = frozenset({"_id", "id", "title", "text", "metadata"})


class ChunkPlace(NamedTuple):
    """The span of a chunk in the document it was cut from: parent's text[start:end]."""

    parent: str
    start: int
    end: int


class Document(NamedTuple):
    """One document. Documents with the same `thread` are not split between training and validation."""

    id: str
    text: str  # title and body, as passed to the encoder
    body: str
    thread: str
    fields: dict[str, Any]  # "title" and "metadata"
    chunk: ChunkPlace | None = None

    def __repr__(self) -> str:
        return brief(self)


def sample_documents(documents: list[Document], count: int | None) -> list[Document]:
    """The `count` documents whose ids have the smallest hashes, in the corpus's order; None is all of them."""
    if count is None or count >= len(documents):
        return documents
    by_hash = sorted(range(len(documents)), key=lambda row: sha256(documents[row].id.encode()).digest())
    return [documents[row] for row in sorted(by_hash[:count])]


def document_of(line: Line) -> Document:
    """The document of a record.

    Other fields are metadata, as are the entries of an object `metadata`, which override fields of the same name.
    An `id` that differs from the `_id` is metadata too.

    Raises:
        BadLine: no id, or neither title nor text.
    """
    record = line.record
    given = record.get("_id") if record.get("_id") not in (None, "") else record.get("id")
    identifier = line.identifier(None if given == "" else given, "field '_id' is missing or not text")
    title, written = line.text("title", required=False).strip(), line.text("text", required=False)
    body = written.strip()
    whole = f"{title}\n{body}".strip()
    if not whole:
        raise line.bad(f"document {identifier[:100]!r} has neither title nor text")
    metadata = {name: value for name, value in record.items() if name not in OWN_FIELDS}
    if record.get("id") not in (None, "", given):
        metadata["id"] = record["id"]
    entries = record.get("metadata")
    if isinstance(entries, dict):
        metadata |= entries
    elif entries is not None:
        metadata["metadata"] = entries
    parent = metadata.get("parent")
    thread = str(parent) if isinstance(parent, str | int) and parent != "" else identifier
    start = len(written) - len(written.lstrip()) if body else 0
    place = ChunkPlace(identifier, start, start + len(body)) if start else None  # offsets refer to the text as written
    return Document(identifier, whole, body, thread, {"title": title, "metadata": metadata}, place)
