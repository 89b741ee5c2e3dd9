"""Changes embeddings: erases features, keeps only some, or steers a whole ranking."""

from ..configs.evaluate import Kind
from .profile import ALL_QUERIES, ExampleQuery, Scope, SteeringProfile, steered_scores, steered_vectors
from .project import erase, erase_and_keep, keep_only
from .removal import Removal, steer_query

__all__ = [
    "ALL_QUERIES",
    "ExampleQuery",
    "Kind",
    "Removal",
    "Scope",
    "SteeringProfile",
    "erase",
    "erase_and_keep",
    "keep_only",
    "steer_query",
    "steered_scores",
    "steered_vectors",
]
