"""The texts of a fit, and their vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..data import Document
from ..data.passages import drawn_sentences
from ..encoders import Encoder, PrecomputedEncoder, read_texts


@dataclass(frozen=True)
class TrainingTexts:
    """Documents first, then sentences drawn from them; one row each."""

    ids: list[str]  # of documents, and of sentences as DOCUMENT#PLACE
    texts: list[str]
    owner: NDArray[np.int64]  # [n] the document a row comes from
    documents: int


@dataclass(frozen=True)
class TrainingVectors:
    """The same as vectors."""

    vectors: Float32  # [n, m]
    truncated: int  # documents with text past the encoder's limit
    unread: int  # their tokens that were not read
    unreadable: int  # documents of which the encoder knows at most half of the tokens


def training_texts(documents: Sequence[Document], per_document: int) -> TrainingTexts:
    """Documents and up to `per_document` sentences of each, drawn by the document's id; repeats are left out."""
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


def encode_training(encoder: Encoder, texts: TrainingTexts) -> TrainingVectors:
    """The vectors of all rows. A vector file is read by id, any other encoder by text."""
    keys = texts.ids if isinstance(encoder, PrecomputedEncoder) else texts.texts
    vectors, counts = read_texts(encoder, keys, "document")
    of_documents = counts.of(slice(texts.documents))
    return TrainingVectors(
        vectors,
        int((of_documents.unread > 0).sum()),
        int(of_documents.unread.sum()),
        int(of_documents.unreadable.sum()),
    )
