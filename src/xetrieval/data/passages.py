"""A corpus as the passages that features are learned and named from: every document, then sentences drawn from it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError
from .corpus import Document
from .sentences import is_prose, split_sentences
from .skipped import Skipped
from .sources import stream_source


class Passage(NamedTuple):
    """A document, or a sentence of one."""

    id: str  # of a sentence DOCUMENT#PLACE
    text: str
    document: str  # the id of the document it is from
    whole: bool  # it is the document itself


def drawn_sentences(document: Document, count: int) -> list[tuple[int, str]]:
    """Up to `count` prose sentences of a document with their places, drawn by the document's id."""
    sentences = [sentence.text for sentence in split_sentences(document.text) if is_prose(sentence.text)]
    places = list(range(len(sentences)))
    random.Random(document.id).shuffle(places)
    return [(place, sentences[place]) for place in places[:count]]


def passages_of(document: Document, per_document: int) -> list[Passage]:
    """The document and up to `per_document` of its sentences."""
    sentences = drawn_sentences(document, per_document)
    return [
        Passage(document.id, document.text, document.id, whole=True),
        *(Passage(f"{document.id}#{place}", text, document.id, whole=False) for place, text in sentences),
    ]


def stream_documents(paths: Iterable[Path], skipped: Skipped | None = None) -> Iterator[Document]:
    """The documents of several corpora, one at a time. Only a hash of each id and text stays in memory.

    Args:
        skipped: takes what cannot be used.
    Raises:
        InputError: a line that cannot be used, or an id with two texts.
    """
    known: dict[bytes, bytes] = {}
    for path in paths:
        for document in stream_source(path, None, skipped):
            key, text = _hash(document.id), _hash(document.text)
            first = known.setdefault(key, text)
            if first is not text:
                if first != text:
                    raise InputError(f"{path}: id {document.id!r} already has another text")
                continue
            yield document


def _hash(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).digest()
