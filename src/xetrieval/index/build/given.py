"""Vectors that are given with a corpus: are they the encoder's, and each its own document's?"""

from __future__ import annotations

from itertools import islice
from typing import Final

import numpy as np

from ...arrays import Float32, as_vectors, l2norm
from ...encoders import Encoder, read_texts
from ...errors import EndpointError, InputError, MismatchError, MissingExtra, shortened
from ...explain import Explainer
from ...explain.foreign import ROWS, unlike
from .corpus import Corpus, Entry

COMPARED: Final = 3  # documents that are encoded to compare
SAME: Final = 0.99  # cosine; float16, bfloat16 and int8 stay above 0.995


def check_given(corpus: Corpus, explainer: Explainer) -> None:
    """Encode three documents and compare, where there are texts and their encoder; else look at the reconstruction.

    Raises:
        MismatchError: these are not the vectors that the encoder gives these texts, or hardly vectors of it at all.
    """
    entries = list(islice(corpus.entries(), ROWS))
    vectors = _vectors(corpus, entries, explainer.sae.dimension)
    name = str(corpus.vectors) if corpus.store is None else corpus.store.name
    with_text = [place for place, entry in enumerate(entries) if entry.document.text.strip()]
    encoder = _encoder(explainer) if with_text else None
    if encoder is not None:
        places = sorted({with_text[0], with_text[len(with_text) // 2], with_text[-1]})[:COMPARED]
        try:
            own = read_texts(encoder, [entries[place].document.text for place in places], "document").vectors
        except (EndpointError, MissingExtra):
            own = None  # it cannot be reached now
        if own is not None:
            _compare(name, encoder, [entries[place] for place in places], vectors[places], own)
            return
    said = unlike(explainer, vectors, name)
    if said is not None:
        raise MismatchError(f"{said}; give the vectors of its encoder, or pass --force")


def _compare(name: str, encoder: Encoder, entries: list[Entry], given: Float32, own: Float32) -> None:
    for entry, cosine in zip(entries, np.einsum("nm,nm->n", given, own), strict=True):
        if not cosine >= SAME:
            raise MismatchError(
                f"{name}: not the vectors that {encoder.identity.name} gives these texts: cosine {cosine:.2f} for "
                f"document {shortened(entry.document.id, 60)!r}. Another model, another order of the rows, or another "
                "text (a title more or less)? Give the encoder's own vectors, or pass --force"
            )


def _encoder(explainer: Explainer) -> Encoder | None:
    """None where it cannot be opened here."""
    try:
        return explainer.encoder
    except (InputError, MismatchError, MissingExtra, EndpointError):
        return None


def _vectors(corpus: Corpus, entries: list[Entry], dimension: int) -> Float32:
    matrix = corpus.matrix()
    if matrix is not None:
        rows = matrix[[entry.place for entry in entries]]
    else:
        rows = np.stack([entry.vector for entry in entries if entry.vector is not None])
    return np.asarray(l2norm(as_vectors(rows, dimension)), np.float32)
