"""Vectors to sparse codes and back. Takes arrays alone; knows no text and no encoder."""

from .codes import SparseCodes
from .files import load_sae, read_sae, save_sae, write_sae
from .formats.release import read_release_sae
from .model import SparseAutoencoder

__all__ = [
    "SparseAutoencoder",
    "SparseCodes",
    "load_sae",
    "read_release_sae",
    "read_sae",
    "save_sae",
    "write_sae",
]
