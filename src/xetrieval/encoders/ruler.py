"""The length of documents for an encoder, in its own tokens or estimated from characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..configs import ChunkConfig
from ..data.chunks import CharacterRuler, Ruler
from .base import Encoder, MarksTokens
from .edited import innermost

UNKNOWN_LIMIT = 512  # tokens; usual for encoders that do not report a limit


@dataclass(frozen=True)
class TokenRuler:
    """Counts by the encoder's tokenizer; `room` is smaller than the encoder's limit if chunks are to be shorter."""

    encoder: Encoder
    room: int

    @property
    def limit(self) -> str:
        """A description in words."""
        return f"{self.room} tokens"

    def starts(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Where the tokens of each text begin."""
        assert isinstance(self.encoder, MarksTokens)
        return self.encoder.token_starts(texts)


def ruler_of(encoder: Encoder, config: ChunkConfig | None = None) -> Ruler:
    """The ruler for an encoder's documents, with the longest allowed chunk."""
    inner = innermost(encoder)  # a cache would encode to count
    wanted = None if config is None else config.tokens
    room = inner.document_room if isinstance(inner, MarksTokens) else None
    if room is not None:
        return TokenRuler(inner, min(room, wanted or room))
    return CharacterRuler(wanted or inner.identity.max_tokens or UNKNOWN_LIMIT)
