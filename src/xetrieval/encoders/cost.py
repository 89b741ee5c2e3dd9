"""Counts the texts and tokens that a job will send to a paid encoder, before the job starts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

from ..errors import InputError
from ..identity import Role
from .base import Encoder
from .cache import CachedEncoder
from .edited import EditedEncoder
from .endpoint import EndpointEncoder

BYTES_PER_TOKEN: Final = 4  # average in prose


class Sending(NamedTuple):
    """Texts to send: those that are not in the cache, each counted once."""

    to: str
    texts: int
    tokens: int  # estimated

    def sentence(self, price: float | None) -> str:
        """The message to show; `price` is per million tokens.

        Raises:
            InputError: a negative price.
        """
        if price is not None and not 0 <= price < math.inf:
            raise InputError(f"--price {price}: must be a number of 0 or more")
        cost = "" if price is None else f", which cost about {self.tokens * price / 1e6:.2f}"
        return f"{self.to}: {self.texts:,} texts to send, about {self.tokens:,} tokens{cost}"


def to_send(encoder: Encoder, texts: Iterable[str], role: Role = "document") -> Sending | None:
    """What encoding these texts would send to an endpoint; None for an encoder that runs here."""
    inner = encoder
    while not isinstance(inner, EndpointEncoder) and hasattr(inner, "encoder"):  # cached, or shared by a server
        inner = inner.encoder
    if not isinstance(inner, EndpointEncoder):
        return None
    if isinstance(encoder, EditedEncoder):
        encoder = encoder.encoder
    fresh = set(encoder.missing(texts, role) if isinstance(encoder, CachedEncoder) else texts)
    prompt = len(encoder.identity.prompt(role).encode())
    size = sum(prompt + len(text.encode("utf-8", "replace")) for text in fresh)
    return Sending(encoder.identity.name, len(fresh), size // BYTES_PER_TOKEN)
