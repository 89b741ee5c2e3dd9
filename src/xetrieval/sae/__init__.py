"""Vectors to sparse codes and back. Takes arrays alone; knows no text and no encoder."""

from .codes import SparseCodes
from .model import SparseAutoencoder
from .release import read_release_sae

__all__ = ["SparseAutoencoder", "SparseCodes", "read_release_sae"]
