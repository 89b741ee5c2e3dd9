"""What an encoder is: two methods and an identity. Queries and documents are apart, as in retrieval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, as_vectors, l2norm
from ..errors import InputError, MismatchError
from ..store import digest_of

Role = Literal["query", "document"]


@dataclass(frozen=True)
class EncoderIdentity:
    """Everything that decides which vector a text gets. Two encoders agree when their digests do."""

    name: str
    dimension: int  # m
    weights_sha256: str | None = None  # None: the weights cannot be seen (an endpoint, a callable)
    query_prompt: str = ""
    document_prompt: str = ""
    max_tokens: int | None = None  # None: no limit known
    pooling: str = "unknown"

    @property
    def digest(self) -> str:
        """Hash of all fields; of the name only where no weights can be seen."""
        facts = asdict(self)
        if self.weights_sha256 is not None:
            del facts["name"]  # the same weights under another name are the same encoder
        return digest_of(facts)

    def prompt(self, role: Role) -> str:
        """The text put before every text of that role."""
        return self.query_prompt if role == "query" else self.document_prompt

    def to_dict(self) -> dict[str, Any]:
        """As config.json holds it."""
        return asdict(self)


@runtime_checkable
class Encoder(Protocol):
    """Text to vectors. Any object with these three is an encoder."""

    @property
    def identity(self) -> EncoderIdentity:
        """What decides its vectors."""

    def encode_query(self, texts: Sequence[str]) -> Float32:
        """Vectors [n, m] of queries."""

    def encode_document(self, texts: Sequence[str]) -> Float32:
        """Vectors [n, m] of documents."""


@runtime_checkable
class CountsUnread(Protocol):
    """An encoder that knows how much of a text lies past its length limit."""

    def unread_tokens(self, texts: Sequence[str], role: Role) -> NDArray[np.int32]:
        """Tokens of each text that the encoder never reads, [n]."""


class Encoded(NamedTuple):
    """Texts as unit vectors, and what of them was not read."""

    vectors: Float32  # [n, m], unit rows
    unread: NDArray[np.int32]  # [n] tokens past the encoder's limit


def read_texts(encoder: Encoder, texts: Sequence[str], role: Role) -> Encoded:
    """Encode `texts`, each distinct one once, checked on the way in and on the way out.

    Raises:
        InputError: an empty text, or a vector that is zero or not finite.
        MismatchError: the encoder returned another number or dimension of vectors than promised.
    """
    for index, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"{role} {index + 1} is empty; give it some text")
    if not texts:
        nothing = np.empty((0, encoder.identity.dimension), np.float32)
        return Encoded(nothing, np.empty(0, np.int32))
    first = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    distinct = list(first)
    encode = encoder.encode_query if role == "query" else encoder.encode_document
    vectors = as_vectors(encode(distinct), name=f"vectors from {encoder.identity.name}")
    if vectors.shape != (len(distinct), encoder.identity.dimension):
        raise MismatchError(
            f"{encoder.identity.name} returned {list(vectors.shape)} for {len(distinct)} texts, "
            f"expected [{len(distinct)}, {encoder.identity.dimension}]"
        )
    unread = np.zeros(len(distinct), np.int32)
    if isinstance(encoder, CountsUnread):
        unread = encoder.unread_tokens(distinct, role)
    place = [first[text] for text in texts]
    return Encoded(l2norm(vectors)[place], unread[place])
