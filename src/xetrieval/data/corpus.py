"""Corpora: a BEIR folder (corpus.jsonl or corpus.jsonl.gz) or a JSON lines file with _id, title and text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import InputError
from .lines import BadLine, Line, read_json_lines


class Document(NamedTuple):
    """One document. `thread` ties together what must not be split between training and validation."""

    id: str
    text: str  # title and body, as the encoder reads them
    body: str
    thread: str
    fields: dict[str, Any]


def read_corpora(paths: Iterable[Path]) -> list[Document]:
    """All documents of several corpora. One that two corpora share, id and text, is taken once.

    Raises:
        InputError: a line that cannot be used, an id that stands for two texts, or twice in one corpus.
    """
    documents: dict[str, Document] = {}
    home: dict[str, Path] = {}
    for path in paths:
        for document in read_corpus(path):
            first = documents.setdefault(document.id, document)
            if home.setdefault(document.id, path) == path and first is not document:
                raise InputError(f"{path}: id {document.id!r} stands twice")
            if first.text != document.text:
                raise InputError(f"id {document.id!r} has one text in {home[document.id]} and another in {path}")
    return list(documents.values())


def sample_documents(documents: list[Document], count: int | None) -> list[Document]:
    """The `count` documents whose ids have the smallest hashes, in the corpus's order; None is all of them."""
    if count is None or count >= len(documents):
        return documents
    by_hash = sorted(range(len(documents)), key=lambda row: sha256(documents[row].id.encode()).digest())
    return [documents[row] for row in sorted(by_hash[:count])]


def read_corpus(path: Path) -> Iterator[Document]:
    """The documents of one corpus."""
    for line in read_json_lines(_corpus_file(path)):
        if isinstance(line, BadLine):
            raise line.error()
        yield document_of(line)


def _corpus_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    for name in ("corpus.jsonl", "corpus.jsonl.gz"):
        if (path / name).is_file():
            return path / name
    raise InputError(f"{path}: no corpus.jsonl or corpus.jsonl.gz in this folder")


def document_of(line: Line) -> Document:
    """The document that a record stands for.

    Raises:
        InputError: it has no id, or neither title nor text.
    """
    identifier = line.record.get("_id", line.record.get("id"))
    if isinstance(identifier, bool) or not isinstance(identifier, str | int) or identifier == "":
        raise line.bad("field '_id' is missing or not text").error()
    title, text = line.text("title", required=False), line.text("text", required=False)
    for value in (title, text):
        if isinstance(value, BadLine):
            raise value.error()
    title, body = str(title).strip(), str(text).strip()
    whole = f"{title}\n{body}".strip()
    if not whole:
        raise line.bad(f"document {str(identifier)!r} has neither title nor text").error()
    metadata = line.record.get("metadata")
    thread = metadata.get("parent") if isinstance(metadata, dict) else None
    return Document(str(identifier), whole, body, str(thread or identifier), line.record)
