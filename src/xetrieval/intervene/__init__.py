"""Vectors and a set of features to vectors: what the document would be without them, or with more of them."""

from .counterfactual import Boost, Erasure, smallest_boost, smallest_erasure
from .project import erase, erase_and_keep, keep_only
from .steer import SteeringProfile, read_profile, steered_scores, steered_vectors

__all__ = [
    "Boost",
    "Erasure",
    "SteeringProfile",
    "erase",
    "erase_and_keep",
    "keep_only",
    "read_profile",
    "smallest_boost",
    "smallest_erasure",
    "steered_scores",
    "steered_vectors",
]
