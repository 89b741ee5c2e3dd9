"""A deterministic encoder without a model: the library's own test double.

Each word has a fixed random direction; a text is the normalised sum of its words. Only texts with words in common are
similar. The vectors are the same on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, l2norm
from ..errors import InputError
from ..identity import EncoderIdentity, Role
from .base import NO_LIMIT, BaseEncoder, Counts
from .texts import as_texts
from .tokens import Show, TokenKind, TokenVectors

LARGEST: Final = 1 << 16  # dimensions

WORD = re.compile(r"\w+|[^\w\s]")


class HashingEncoder(BaseEncoder):
    """Bag of hashed words in `dimension` dimensions; reads at most `max_tokens` words."""

    def __init__(self, dimension: int = 64, max_tokens: int = 256) -> None:
        if not 2 <= dimension <= LARGEST:
            raise InputError(f"hashing encoder: dimension {dimension}; use 2 to {LARGEST:,}")
        self.identity = EncoderIdentity(
            name=f"hashing:{dimension}",
            dimension=dimension,
            weights_sha256="none: words are hashed",
            max_tokens=max_tokens,
            pooling="mean",
        )
        self._direction = lru_cache(maxsize=65536)(self._hashed)

    @classmethod
    def parse(cls, text: str) -> HashingEncoder:
        """The encoder of hashing:DIMENSION."""
        dimension = text.removeprefix("hashing:")
        if dimension and not (dimension.isdecimal() and len(dimension) < 20):
            raise InputError(f"encoder {text!r}: give the dimension as a number, e.g. hashing:256")
        return cls(int(dimension or 64))

    def token_counts(self, texts: Sequence[str], role: Role) -> Counts:
        """Words past the limit and words read, [n]; every word is known."""
        limit = self.identity.max_tokens or 0
        words = np.array([len(WORD.findall(text)) for text in as_texts(texts, role)], np.int32)
        return Counts(np.maximum(words - limit, 0), np.zeros_like(words), np.minimum(words, limit))

    @property
    def document_room(self) -> int:
        """The largest number of words in a document."""
        return self.identity.max_tokens or NO_LIMIT

    def token_starts(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Where the words of each text begin."""
        return [np.array([word.start() for word in WORD.finditer(text)], np.int64) for text in texts]

    def token_vectors(self, text: str, role: Role) -> TokenVectors:
        """The vectors of the words in order, [T, m]."""
        owner = [place for place, one in enumerate(text) for _ in one.lower()]  # some characters become two
        words = list(WORD.finditer(text.lower()))[: self.identity.max_tokens]
        spans = tuple((owner[word.start()], owner[word.end() - 1] + 1) for word in words)
        vectors = np.stack([self._direction(word.group()) for word in words])
        kinds: tuple[TokenKind, ...] = tuple("text" for _ in words)
        return TokenVectors(vectors, spans, kinds)

    def shows_tokens(self) -> bool:
        """Yes."""
        return True

    def encode_showing(self, texts: Sequence[str], role: Role, show: Show) -> Float32:
        """Vectors [n, m], calling `show` with the words of each text."""
        vectors = self._encode(list(texts), role)
        for text, vector in zip(texts, vectors, strict=True):
            show(text, self.token_vectors(text, role), vector)
        return vectors

    def _encode(self, texts: list[str], role: Role) -> Float32:
        words = [WORD.findall(text.lower())[: self.identity.max_tokens] or [""] for text in texts]
        return np.asarray(
            l2norm(np.stack([np.sum([self._direction(w) for w in ws], axis=0) for ws in words])), np.float32
        )

    def _hashed(self, word: str) -> Float32:
        seed = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")
        return np.random.default_rng(seed).standard_normal(self.identity.dimension, dtype=np.float32)
