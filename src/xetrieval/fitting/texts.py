"""The texts of a fit, and their vectors."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data import Document
from ..data.passages import drawn_sentences
from ..encoders import Encoded, Encoder, PrecomputedEncoder, read_texts

SENTENCES: Final = 4000  # the most sentences sampled from a corpus with its own autoencoder
FULL: Final = 500  # documents that give up to PER_DOCUMENT sentences; the others give one
PER_DOCUMENT: Final = 9


class DrawnSentence(NamedTuple):
    """A sentence of a document."""

    row: int  # row of the document
    id: str  # DOCUMENT#PLACE
    text: str


def few_sentences(documents: Iterable[Document], count: int) -> list[DrawnSentence]:
    """At most 4,000 sentences of `count` documents: up to nine from each of about 500, then one each from others.

    Documents are sampled by a hash of their id. A sentence that is also the text of a document is left out.
    """
    drawn: list[tuple[float, DrawnSentence]] = []
    whole = array("Q")
    for row, document in enumerate(documents):
        whole.append(hash_of(document.text))
        place_of = hash_of(document.id) / 2**64
        if place_of * count < 2 * SENTENCES:
            some = drawn_sentences(document, PER_DOCUMENT if place_of * count < FULL else 1)
            drawn += [(place_of, DrawnSentence(row, f"{document.id}#{place}", text)) for place, text in some]
    drawn.sort(key=lambda one: one[0])
    known = np.isin(np.array([hash_of(one.text) for _, one in drawn], np.uint64), np.frombuffer(whole, np.uint64))
    fresh = {one.text: one for (_, one), there in zip(drawn, known.tolist(), strict=True) if not there}
    return list(fresh.values())[:SENTENCES]


def hash_of(text: str) -> int:
    """Eight bytes that identify a text."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


@dataclass(frozen=True)
class TrainingTexts:
    """Documents first, then sentences drawn from them; one row each."""

    ids: list[str]  # ids of documents; DOCUMENT#PLACE for sentences
    texts: list[str]
    owner: NDArray[np.int64]  # [n] the document a row comes from
    documents: int


def training_texts(documents: Sequence[Document], per_document: int) -> TrainingTexts:
    """Documents and up to `per_document` sentences of each, sampled with its id as seed; repeats are left out."""
    ids = [document.id for document in documents]
    texts = [document.text for document in documents]
    owner = list(range(len(documents)))
    seen = set(texts)
    for index, document in enumerate(documents):
        for place, sentence in drawn_sentences(document, per_document):
            if sentence not in seen:
                seen.add(sentence)
                ids.append(f"{document.id}#{place}")
                texts.append(sentence)
                owner.append(index)
    return TrainingTexts(ids, texts, np.array(owner, np.int64), len(documents))


def encode_training(encoder: Encoder, texts: TrainingTexts) -> Encoded:
    """The vectors of all rows, and how much of each document was read. Vector files are looked up by id, not text."""
    keys = texts.ids if isinstance(encoder, PrecomputedEncoder) else texts.texts
    vectors, counts = read_texts(encoder, keys, "document")
    return Encoded(vectors, counts.of(slice(texts.documents)))
