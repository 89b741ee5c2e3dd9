"""Vectors to sparse codes and back. Takes arrays alone; knows no text and no encoder."""

from .codes import SparseCodes
from .files import SaeFolder, read_sae, read_sae_folder, write_sae
from .formats.release import read_release_sae
from .model import SparseAutoencoder

__all__ = [
    "SaeFolder",
    "SparseAutoencoder",
    "SparseCodes",
    "read_release_sae",
    "read_sae",
    "read_sae_folder",
    "write_sae",
]
