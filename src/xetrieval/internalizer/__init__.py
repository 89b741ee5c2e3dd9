"""Turns vectors into views: the embeddings that a document's written answers, summary or purpose would have."""

from .files import load_internalizers, read_internalizers, save_internalizers, write_internalizers
from .network import Internalizer
from .release import read_release_internalizer, write_release_internalizer

__all__ = [
    "Internalizer",
    "load_internalizers",
    "read_internalizers",
    "read_release_internalizer",
    "save_internalizers",
    "write_internalizers",
    "write_release_internalizer",
]
