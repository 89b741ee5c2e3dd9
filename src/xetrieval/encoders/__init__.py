"""Encoders, which turn text into vectors: a small protocol, and the ones that ship with the library."""

from ..identity import EncoderIdentity, Role
from .base import Counts, CountsTokens, Encoded, Encoder, encoder_notes, not_counted, precision_of, read_texts
from .cache import CachedEncoder, read_showing, shows_tokens
from .cost import Sending, to_send
from .edited import EditedEncoder, innermost
from .endpoint import EndpointEncoder
from .function import FunctionEncoder, TextFunction
from .hashing import HashingEncoder
from .open import open_encoder
from .precomputed import PrecomputedEncoder
from .probe import probe_facts
from .ruler import ruler_of
from .sentence_transformer import SentenceTransformerEncoder
from .texts import as_text, as_texts
from .tokens import TokenVectors, token_vectors
from .vector_files import map_vectors, read_vectors, vector_ids

__all__ = [
    "CachedEncoder",
    "Counts",
    "CountsTokens",
    "EditedEncoder",
    "Encoded",
    "Encoder",
    "EncoderIdentity",
    "EndpointEncoder",
    "FunctionEncoder",
    "HashingEncoder",
    "PrecomputedEncoder",
    "Role",
    "Sending",
    "SentenceTransformerEncoder",
    "TextFunction",
    "TokenVectors",
    "as_text",
    "as_texts",
    "encoder_notes",
    "innermost",
    "map_vectors",
    "not_counted",
    "open_encoder",
    "precision_of",
    "probe_facts",
    "read_showing",
    "read_texts",
    "read_vectors",
    "ruler_of",
    "shows_tokens",
    "to_send",
    "token_vectors",
    "vector_ids",
]
