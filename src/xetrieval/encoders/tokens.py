"""The tokens that an encoder reads, for encoders whose vector is the normalised mean of its tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from ..arrays import Float32
from ..identity import Role
from .base import Encoder

TokenKind = Literal["text", "special", "prompt"]


class TokenVectors(NamedTuple):
    """z = l2norm(mean of the rows of `vectors`), up to the precision of the encoder."""

    vectors: Float32  # [T, m], h_t
    spans: tuple[tuple[int, int], ...]  # text[start:end] of each token of kind "text"; (0, 0) for the others
    kinds: tuple[TokenKind, ...]


Show = Callable[
    [str, TokenVectors, Float32], None
]  # takes a text, its tokens and its unit vector; may be called from several threads at once


@runtime_checkable
class ReadsTokens(Protocol):
    """An encoder that can show its tokens."""

    def token_vectors(self, text: str, role: Role) -> TokenVectors | None:
        """The tokens of `text`; None if its vector is not their normalised mean."""


@runtime_checkable
class ShowsTokens(Protocol):
    """An encoder that can show its tokens while it encodes many texts."""

    def shows_tokens(self) -> bool:
        """Whether its vectors are normalised means of its tokens. It may have to load its model for this."""

    def encode_showing(self, texts: Sequence[str], role: Role, show: Show) -> Float32:
        """Vectors [n, m] of distinct texts, calling `show` with each text's tokens."""


def token_vectors(encoder: Encoder, text: str, role: Role) -> TokenVectors | None:
    """The tokens of `text`, or None if this encoder cannot show them."""
    return encoder.token_vectors(text, role) if isinstance(encoder, ReadsTokens) else None
