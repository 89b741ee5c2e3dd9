"""Changes embeddings: erases features, keeps only some, or steers a whole ranking."""

from .profile import SteeringProfile, steered_scores, steered_vectors
from .project import erase, erase_and_keep, keep_only

__all__ = [
    "SteeringProfile",
    "erase",
    "erase_and_keep",
    "keep_only",
    "steered_scores",
    "steered_vectors",
]
