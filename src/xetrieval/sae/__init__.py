"""Turns vectors into sparse codes and back. Works only on arrays, never on texts or encoders."""

from .codes import SparseCodes
from .files import SaeFolder, read_sae, read_sae_folder, write_sae
from .formats.release import read as read_release_sae
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
