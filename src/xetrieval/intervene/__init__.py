"""Vectors and a set of features to vectors: what the document would be without them, or with them alone."""

from .counterfactual import Boost, Erasure, smallest_boost, smallest_erasure
from .project import erase, erase_and_keep, keep_only

__all__ = ["Boost", "Erasure", "erase", "erase_and_keep", "keep_only", "smallest_boost", "smallest_erasure"]
