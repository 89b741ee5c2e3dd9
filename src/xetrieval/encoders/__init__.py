"""Text to vectors: one small protocol, and the encoders that ship with the library."""

from .base import CountsUnread, Encoded, Encoder, EncoderIdentity, Role, read_texts
from .cache import CachedEncoder
from .endpoint import EndpointEncoder
from .function import FunctionEncoder
from .hashing import HashingEncoder
from .open import open_encoder
from .precomputed import PrecomputedEncoder, map_vectors, read_vectors, vector_ids
from .sentence_transformer import SentenceTransformerEncoder
from .tokens import TokenVectors, token_vectors

__all__ = [
    "CachedEncoder",
    "CountsUnread",
    "Encoded",
    "Encoder",
    "EncoderIdentity",
    "EndpointEncoder",
    "FunctionEncoder",
    "HashingEncoder",
    "PrecomputedEncoder",
    "Role",
    "SentenceTransformerEncoder",
    "TokenVectors",
    "map_vectors",
    "open_encoder",
    "read_texts",
    "read_vectors",
    "token_vectors",
    "vector_ids",
]
