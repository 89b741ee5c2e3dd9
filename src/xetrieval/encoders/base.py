"""The encoder protocol: an identity and two methods, one for queries and one for documents."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, as_floats, as_vectors, l2norm
from ..errors import InputError, MismatchError
from ..identity import EncoderIdentity, Role
from .texts import as_texts


@runtime_checkable
class Encoder(Protocol):
    """Turns texts into vectors. Any object with these three members is an encoder."""

    @property
    def identity(self) -> EncoderIdentity:
        """Everything that determines its vectors."""

    def encode_query(self, texts: Sequence[str]) -> Float32:
        """Vectors [n, m] of queries."""

    def encode_document(self, texts: Sequence[str]) -> Float32:
        """Vectors [n, m] of documents."""


class BaseEncoder(ABC):
    """Implements both methods of an encoder with one that takes the role."""

    def encode_query(self, texts: Sequence[str]) -> Float32:
        """Vectors [n, m] of queries."""
        return self._encode(as_texts(texts, "query"), "query")

    def encode_document(self, texts: Sequence[str]) -> Float32:
        """Vectors [n, m] of documents."""
        return self._encode(as_texts(texts, "document"), "document")

    @abstractmethod
    def _encode(self, texts: list[str], role: Role) -> Float32: ...


NOT_COUNTED: Final = -1
NO_LIMIT: Final = 1 << 30  # tokens


class Counts(NamedTuple):
    """How much of some texts an encoder could read, one number per text. -1: not counted."""

    unread: NDArray[np.int32]  # [n] tokens past the length limit; 0 if not counted
    unknown: NDArray[np.int32]  # [n] tokens read that its tokenizer does not know ([UNK])
    tokens: NDArray[np.int32]  # [n] tokens read, without special tokens and the prompt

    def of(self, place: slice | Sequence[int] | NDArray[np.integer[Any]]) -> Counts:
        """The counts of some of the texts."""
        return Counts(*(column[place] for column in self))

    @property
    def unreadable(self) -> NDArray[np.bool_]:
        """[n] whether at least half of the tokens are unknown, or there are none."""
        found: NDArray[np.bool_] = (self.tokens != NOT_COUNTED) & (2 * self.unknown >= self.tokens)
        return found


def not_counted(count: int) -> Counts:
    """Placeholder counts for `count` texts that were not counted."""
    missing = np.full(count, NOT_COUNTED, np.int32)
    return Counts(np.zeros(count, np.int32), missing, missing.copy())


def encoder_notes(encoder: Encoder) -> tuple[str, ...]:
    """Notes for the encoder's user: prompts that were guessed, an unused default prompt."""
    notes: tuple[str, ...] = getattr(encoder, "notes", ())
    return notes


def precision_of(encoder: Encoder) -> str:
    """The precision of its matrix products: float32 or bfloat16."""
    return str(getattr(encoder, "precision", "float32"))


@runtime_checkable
class CountsTokens(Protocol):
    """An encoder that can count the tokens it cannot read."""

    def token_counts(self, texts: Sequence[str], role: Role) -> Counts:
        """How much of each text it reads, [n]."""


@runtime_checkable
class MarksTokens(Protocol):
    """An encoder that shows where the tokens of a text are."""

    @property
    def document_room(self) -> int | None:
        """The largest number of tokens in a document, or NO_LIMIT; None: its tokens cannot be seen."""

    def token_starts(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Where the tokens of each text begin, in order, including those past the limit."""


class Encoded(NamedTuple):
    """Texts as unit vectors, and how much of them was read."""

    vectors: Float32  # [n, m], unit rows
    counts: Counts


def read_texts(encoder: Encoder, texts: Sequence[str], role: Role) -> Encoded:
    """Encode `texts`, each distinct one once, checking both the texts and the vectors.

    Raises:
        InputError: a bare text, an entry that is not text, an empty text, or a vector that is zero or not finite.
        MismatchError: the encoder returned the wrong number or dimension of vectors.
    """
    texts = as_texts(texts, role)
    for index, text in enumerate(texts):
        if not text.strip():
            raise InputError(f"{role} {index + 1} is empty; give some text")
    if not texts:
        return Encoded(np.empty((0, encoder.identity.dimension), np.float32), not_counted(0))
    first = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    distinct = list(first)
    encode = encoder.encode_query if role == "query" else encoder.encode_document
    vectors = as_returned(encode(distinct), len(distinct), encoder.identity.dimension, encoder.identity.name)
    counts = not_counted(len(distinct))
    if isinstance(encoder, CountsTokens):
        counts = encoder.token_counts(distinct, role)
    place = [first[text] for text in texts]
    return Encoded(l2norm(vectors)[place], counts.of(place))


def as_returned(x: object, texts: int, dimension: int | None, who: str) -> Float32:
    """What an encoder returned for some texts, as vectors [texts, m]. The shape is checked before the numbers.

    Args:
        dimension: m, if it is known.
        who: returned it, for messages.
    Raises:
        InputError: not a matrix of usable vectors. MismatchError: the wrong number or dimension of vectors.
    """
    array = as_floats(x, f"vectors from {who}")
    shape = [1, *array.shape] if array.ndim == 1 and array.size else list(array.shape)
    expected = [texts, shape[-1] if dimension is None else dimension]
    if len(shape) == 2 and shape != expected:
        wanted = f"[{texts}, {expected[1] if expected[1] > 1 else 'm'}]"
        raise MismatchError(f"{who} returned vectors of shape {shape} for {texts} texts, expected {wanted}: a row each")
    return as_vectors(array, name=f"vectors from {who}")
