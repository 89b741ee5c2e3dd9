"""Checks that the vectors of a corpus come from its encoder and belong to the right documents."""

from __future__ import annotations

from itertools import islice

from ...encoders import Encoder, read_texts
from ...encoders.same import first_difference
from ...errors import EndpointError, InputError, MismatchError, MissingExtra
from ...explain import Explainer
from ...explain.foreign import ROWS, unlike
from ...text import clip
from .corpus import Corpus


def check_corpus_vectors(corpus: Corpus, explainer: Explainer) -> None:
    """If there are texts and an encoder, encode three documents and compare; otherwise check the reconstruction.

    Raises:
        MismatchError: the encoder gives these texts different vectors, or the vectors do not look like the encoder's at
        all.
    """
    entries = list(islice(corpus.entries(), ROWS))
    vectors = explainer.edited(corpus.vectors_of(entries, explainer.sae.dimension))
    name = str(corpus.vectors) if corpus.store is None else corpus.store.name
    with_text = [place for place, entry in enumerate(entries) if entry.document.text.strip()]
    encoder = _encoder(explainer) if with_text else None
    if encoder is not None:
        places = sorted({with_text[0], with_text[len(with_text) // 2], with_text[-1]})
        try:
            own = read_texts(encoder, [entries[place].document.text for place in places], "document").vectors
        except (EndpointError, MissingExtra):
            own = None  # the encoder is unreachable
        if own is not None:
            other = first_difference(own, vectors[places])
            if other is not None:
                raise MismatchError(
                    f"{name}: not the vectors that {encoder.identity.name} gives these texts: cosine "
                    f"{other.cosine:.2f} for document {clip(entries[places[other.row]].document.id, 60)!r}. "
                    "A different model, row order, or text (with or without its title)? Give the "
                    "encoder's own vectors, or pass --force"
                )
            return
    problem = unlike(explainer, vectors, name)
    if problem is not None:
        raise MismatchError(f"{problem}; give the vectors of its encoder, or pass --force")


def _encoder(explainer: Explainer) -> Encoder | None:
    """The encoder; None if it cannot be opened here."""
    try:
        return explainer.encoder
    except (InputError, MismatchError, MissingExtra, EndpointError):
        return None
