"""An encoder for concurrent requests: it encodes for one at a time and remembers recent texts."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import numpy as np

from ..arrays import Float32
from ..encoders import Counts, Encoder, EncoderIdentity, Role, TokenVectors, innermost, read_texts, token_vectors

REMEMBERED: Final = 1024  # texts


class SharedEncoder:
    """Encodes in one thread at a time, because fast tokenizers are not thread-safe. Writes nothing to disk."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = innermost(encoder)
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[Role, str], tuple[Float32, tuple[int, ...]]] = OrderedDict()

    @property
    def identity(self) -> EncoderIdentity:
        """The identity of the wrapped encoder."""
        return self.encoder.identity

    def encode_query(self, texts: Sequence[str]) -> Float32:
        """Vectors [n, m]."""
        return np.stack([vector for vector, _ in self._read(texts, "query")])

    def encode_document(self, texts: Sequence[str]) -> Float32:
        """Vectors [n, m]."""
        return np.stack([vector for vector, _ in self._read(texts, "document")])

    def token_counts(self, texts: Sequence[str], role: Role) -> Counts:
        """How much of each text was read, [n]."""
        numbers = np.array([counts for _, counts in self._read(texts, role)], np.int32).reshape(-1, 3)
        return Counts(*numbers.T)

    def token_vectors(self, text: str, role: Role) -> TokenVectors | None:
        """The token vectors before pooling, if the encoder provides them."""
        with self._lock:
            return token_vectors(self.encoder, text, role)

    def _read(self, texts: Sequence[str], role: Role) -> list[tuple[Float32, tuple[int, ...]]]:
        with self._lock:
            missing = [text for text in dict.fromkeys(texts) if (role, text) not in self._known]
            found = {(role, text): self._known[role, text] for text in texts if (role, text) in self._known}
            if missing:
                vectors, counts = read_texts(self.encoder, missing, role)
                for place, text in enumerate(missing):
                    found[role, text] = (vectors[place], tuple(int(column[place]) for column in counts))
            for key, value in found.items():
                self._known[key] = value
                self._known.move_to_end(key)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return [found[role, text] for text in texts]
