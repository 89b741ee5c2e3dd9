"""Stores the vectors of the sentences that a dictionary was trained on, so that retraining needs no encoding.

A sentence is identified by two hashes, of its document's id and of its text, which is read from the document.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...arrays import Float32
from ...data import Document
from ...data.passages import drawn_sentences
from ...files import write_bytes
from ...fitting.texts import PER_DOCUMENT, DrawnSentence, hash_of
from ..store.layout import SENTENCES, TYPES, map_array


class Sentences(NamedTuple):
    """Sentences and their vectors [s, m]."""

    drawn: list[DrawnSentence]
    vectors: Float32


def write_sentences(folder: Path, sentences: Sentences) -> None:
    """Store sentences in the folder of an index's explainer."""
    hashes = [(hash_of(one.id.rpartition("#")[0]), hash_of(one.text)) for one in sentences.drawn]
    vectors, numbers = SENTENCES
    write_bytes(folder / vectors, np.ascontiguousarray(sentences.vectors, TYPES["f32"]).tobytes())
    write_bytes(folder / numbers, np.array(hashes, TYPES["u64"]).tobytes())


def read_sentences(folder: Path, documents: Iterable[Document], dimension: int) -> Sentences:
    """The stored sentences that some document still contains, in their old order; none in an old index.

    Args:
        documents: the documents in row order, from row 0.
    """
    vectors, numbers = (folder / name for name in SENTENCES)
    if not (vectors.is_file() and numbers.is_file()):
        return Sentences([], np.empty((0, dimension), np.float32))
    hashes = map_array(numbers, 2).tolist()
    places = {(document, text): place for place, (document, text) in enumerate(hashes)}
    owners = {document for document, _ in hashes}
    found: dict[int, DrawnSentence] = {}
    for row, document in enumerate(documents):
        if (own := hash_of(document.id)) in owners:
            for number, text in drawn_sentences(document, PER_DOCUMENT):
                if (place := places.get((own, hash_of(text)))) is not None:
                    found[place] = DrawnSentence(row, f"{document.id}#{number}", text)
    kept: Sequence[int] = sorted(found)
    stored = map_array(vectors, dimension).reshape(-1, dimension)
    return Sentences([found[place] for place in kept], np.array(stored[kept], np.float32))
