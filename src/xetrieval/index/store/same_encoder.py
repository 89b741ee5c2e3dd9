"""Where an encoder's weights cannot be seen: does it still give the vectors that this index holds?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ...encoders import read_texts
from ...errors import MismatchError, shortened

if TYPE_CHECKING:
    from .reader import IndexReader

SAME: Final = 0.99  # cosine; what a server gives for a text twice is nearer


def check_same_encoder(index: IndexReader) -> None:
    """Encode one document anew and compare; behind a name there may be another model by now.

    Nothing is compared where a hash of the weights decides, or where vectors were given with the documents.

    Raises:
        MismatchError: the encoder gives another vector than the index holds.
    """
    encoder = index.explainer.encoder
    given = any(event.get("encoded_with") is None for event in index.manifest.history if "encoded_with" in event)
    row = _first_alive(index.deleted)
    if encoder.identity.weights_sha256 is not None or given or row >= index.manifest.rows:
        return
    document = index.document(row)
    own = read_texts(encoder, [document.text], "document").vectors[0]
    near = float(own @ index.vectors(np.array([row], np.int64))[0])
    if not near >= SAME:
        raise MismatchError(
            f"{index.folder}: {shortened(encoder.identity.name, 80)} gives other vectors than this index holds (cosine "
            f"{near:.3f} for document {shortened(document.id, 40)!r}): it is another model or another version; fit an "
            "explainer and build the index anew"
        )


def _first_alive(deleted: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> int:
    """The first row that is not among the deleted ones, which ascend."""
    ahead = np.flatnonzero(deleted != np.arange(len(deleted)))
    return int(ahead[0]) if len(ahead) else len(deleted)
