"""An encoder whose document vectors are edited; queries stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..arrays import Float32, Float64, l2norm
from ..identity import Role
from .base import BaseEncoder, Counts, CountsTokens, Encoder, encoder_notes, not_counted, precision_of
from .cache import CachedEncoder, read_showing, shows_tokens
from .tokens import Show, TokenVectors, token_vectors


class EditedEncoder(BaseEncoder):
    """An encoder with an edit of its documents. Its identity and its cache are those of the encoder.

    Args:
        edit: z -> A z + c of every row, not normalised.
    """

    def __init__(self, encoder: Encoder, edit: Callable[[Float32 | Float64], Float64]) -> None:
        self.encoder, self.edit, self.identity = encoder, edit, encoder.identity
        self.notes, self.precision = encoder_notes(encoder), precision_of(encoder)

    def _encode(self, texts: list[str], role: Role) -> Float32:
        if role == "query":
            return self.encoder.encode_query(texts)
        return np.asarray(l2norm(self.edit(self.encoder.encode_document(texts))), np.float32)

    def token_counts(self, texts: Sequence[str], role: Role) -> Counts:
        """How much of each text it reads, [n]."""
        if isinstance(self.encoder, CountsTokens):
            return self.encoder.token_counts(texts, role)
        return not_counted(len(texts))

    def token_vectors(self, text: str, role: Role) -> TokenVectors | None:
        """The tokens of `text`, edited so that their normalised mean is the edited vector."""
        tokens = token_vectors(self.encoder, text, role)
        return tokens if tokens is None or role == "query" else self._edited(tokens)

    def shows_tokens(self) -> bool:
        """Whether the encoder can show its tokens."""
        return shows_tokens(self.encoder)

    def encode_showing(self, texts: Sequence[str], role: Role, show: Show) -> Float32:
        """Vectors [n, m] of distinct texts, calling `show` with each text's tokens."""
        if role == "query":
            return read_showing(self.encoder, texts, role, show).vectors

        def show_edited(text: str, tokens: TokenVectors, z: Float32) -> None:
            show(text, self._edited(tokens), np.asarray(l2norm(self.edit(z[None]))[0], np.float32))

        z = read_showing(self.encoder, texts, role, show_edited).vectors
        return np.asarray(l2norm(self.edit(z)), np.float32)

    def _edited(self, tokens: TokenVectors) -> TokenVectors:
        """With L the length of their mean, L A (h / L) + L c: the mean is L times the edited unit vector."""
        length = float(np.linalg.norm(tokens.vectors.mean(axis=0))) or 1.0
        return tokens._replace(vectors=np.asarray(length * self.edit(tokens.vectors / length), np.float32))


def innermost(encoder: Encoder) -> Encoder:
    """The encoder itself, without its edit and its cache."""
    while isinstance(encoder, CachedEncoder | EditedEncoder):
        encoder = encoder.encoder
    return encoder
