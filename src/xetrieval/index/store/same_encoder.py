"""Checks that an encoder without a hash of its weights still produces the vectors of an index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...encoders import Encoder, read_texts
from ...encoders.same import first_difference
from ...errors import MismatchError
from ...text import clip

if TYPE_CHECKING:
    from .reader import IndexReader


def check_same_encoder(index: IndexReader, encoder: Encoder | None = None) -> None:
    """Encode one document again and compare, because the encoder's name may now refer to a different model.

    Nothing is compared if the weights have a hash, or if the documents came with their vectors.

    Args:
        encoder: None means that of the index's explainer.
    Raises:
        MismatchError: the encoder's vector differs from the one in the index.
    """
    encoder = encoder or index.explainer.encoder
    supplied = any(event.get("encoded_with") is None for event in index.manifest.made_from if "encoded_with" in event)
    row = _first_alive(index.deleted)
    if encoder.identity.weights_sha256 is not None or supplied or row >= index.manifest.rows:
        return
    document = index.document(row)
    own = read_texts(encoder, [document.text], "document").vectors
    other = first_difference(own, index.vectors(np.array([row], np.int64)))
    if other is not None:
        raise MismatchError(
            f"{index.folder}: {clip(encoder.identity.name, 80)} gives different vectors from those in this index "
            f"(cosine {other.cosine:.3f} for document {clip(document.id, 40)!r}): it is a different model or "
            "version; fit an explainer and build the index again"
        )


def _first_alive(deleted: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> int:
    """The first row that is not deleted; `deleted` is in ascending order."""
    ahead = np.flatnonzero(deleted != np.arange(len(deleted)))
    return int(ahead[0]) if len(ahead) else len(deleted)
