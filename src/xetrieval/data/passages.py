"""A corpus as the passages that features are trained and labelled on: documents and sentences sampled from them."""

from __future__ import annotations

import random
from typing import NamedTuple

from .corpus import Document
from .sentences import is_prose, split_sentences


class Passage(NamedTuple):
    """A document, or a sentence of one."""

    id: str  # id of the passage; DOCUMENT#PLACE for a sentence
    text: str
    document: str  # id of its document
    whole: bool  # whether it is the document itself


def drawn_sentences(document: Document, count: int) -> list[tuple[int, str]]:
    """Up to `count` prose sentences of a document with their positions, sampled with its id as seed."""
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
