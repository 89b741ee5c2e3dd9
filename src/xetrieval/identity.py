"""Identity: two encoders, autoencoders, internalizers or explainers are the same if their digests are equal.

A digest covers exactly the facts and arrays that can change a result: not file and folder names, notes, or library
versions.

Arrays are hashed at the precision in which an explainer is stored: large matrices in half precision, biases and
thresholds in single precision. So saving and loading preserves a digest, and differences below half precision do not
count. A matrix with a number too large for half precision (which could not be stored either) is hashed in single
precision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .files import digest_of
from .records import Settings, read_record

Role = Literal["query", "document"]
UNNAMED: Final = "unnamed function "  # followed by a unique id
FUNCTION: Final = "function "  # followed by the name that its user chose


@dataclass(frozen=True)
class EncoderIdentity(Settings):
    """Everything that determines the vector of a text. Encoders with equal digests are the same."""

    name: str
    dimension: int  # m
    weights_sha256: str | None = None  # None: the weights cannot be seen (an endpoint, a function)
    query_prompt: str = ""
    document_prompt: str = ""
    max_tokens: int | None = None  # None: no limit known
    pooling: str = "unknown"
    reading_sha256: str | None = None  # tokenizer, modules and their configurations; None: they cannot be seen
    version: str = ""  # version of a function, chosen by its user

    @property
    def digest(self) -> str:
        """Hash of all fields; the name counts only if the weights cannot be seen."""
        facts = asdict(self)
        if self.weights_sha256 is not None:
            del facts["name"]  # the same weights under another name are the same encoder
        return digest_of(facts)

    @property
    def lasting(self) -> bool:
        """Whether a later process can recognise it. False: a function without a name; its vectors are not kept."""
        return not self.name.startswith(UNNAMED)

    @property
    def is_function(self) -> bool:
        """Whether it is a user's function, which cannot be reopened from a file."""
        return self.name.startswith((UNNAMED, FUNCTION))

    def prompt(self, role: Role) -> str:
        """The prompt that precedes each text of this role."""
        return self.query_prompt if role == "query" else self.document_prompt

    @classmethod
    def from_dict(cls, record: object) -> EncoderIdentity:
        """Read back what `to_dict` wrote.

        Raises:
            InputError: a field is missing, unknown, or of the wrong kind.
        """
        try:
            return read_record(EncoderIdentity, record)
        except (TypeError, ValueError, KeyError) as error:
            raise InputError(
                f"the encoder's identity is missing, or has missing or unknown fields ({error})"
            ) from error

    def differences(self, other: EncoderIdentity) -> str:
        """How `other` differs from this encoder, in words; empty if it is the same."""
        if self.digest == other.digest:
            return ""
        return "; ".join(
            f"{_WORDS.get(key, key)} {_short(theirs)} instead of {_short(ours)}"
            for (key, ours), theirs in zip(asdict(self).items(), asdict(other).values(), strict=True)
            if ours != theirs and (key != "name" or self.weights_sha256 is None)
        )


_WORDS: Final = {
    "weights_sha256": "weights",
    "reading_sha256": "tokenizer, modules or their configuration",
    "query_prompt": "query prompt",
    "document_prompt": "document prompt",
    "max_tokens": "length limit",
}


def _short(value: Any) -> str:
    return f"{value[:12]!r}..." if isinstance(value, str) and len(value) == 64 else repr(value)


def autoencoder_digest(
    encoder_weight: NDArray[Any],
    encoder_bias: NDArray[Any],
    decoder_weight: NDArray[Any],
    decoder_bias: NDArray[Any],
    thresholds: NDArray[Any] | None,
) -> str:
    """Hash of the features of an autoencoder; k does not count."""
    facts = {
        "encoder_weight": _matrix(encoder_weight),
        "encoder_bias": _numbers(encoder_bias),
        "decoder_weight": _matrix(decoder_weight),
        "decoder_bias": _numbers(decoder_bias),
        "thresholds": None if thresholds is None else _numbers(thresholds),
    }
    return digest_of(["autoencoder", facts])[:16]


def internalizer_digest(form: str, w1: NDArray[Any], b1: NDArray[Any], w2: NDArray[Any], b2: NDArray[Any]) -> str:
    """Hash of everything that determines the output of an aspect's network."""
    facts = {"form": form, "w1": _matrix(w1), "b1": _numbers(b1), "w2": _matrix(w2), "b2": _numbers(b2)}
    return digest_of(["internalizer", facts])[:16]


def explainer_digest(
    encoder: EncoderIdentity, autoencoder: str, k: int | None, internalizers: Mapping[str, str]
) -> str:
    """Hash of everything that determines the numbers in explanations and indexes: encoder, autoencoder, k,
    internalizers.

    Args:
        autoencoder: its digest.
        internalizers: aspect -> digest.
    """
    return digest_of(["explainer", encoder.digest, autoencoder, k, dict(internalizers)])[:16]


def _matrix(array: NDArray[Any]) -> list[Any]:
    with np.errstate(over="ignore"):
        half = np.asarray(array, "<f2")
    return _numbers(array) if np.isinf(half).any() else _counted(half)


def _numbers(array: NDArray[Any]) -> list[Any]:
    return _counted(np.asarray(array, "<f4"))


def _counted(array: NDArray[Any]) -> list[Any]:
    """Type, shape and bytes, with -0.0 as 0.0."""
    content = np.ascontiguousarray(array + array.dtype.type(0)).tobytes()
    return [array.dtype.str, list(array.shape), sha256(content).hexdigest()]
