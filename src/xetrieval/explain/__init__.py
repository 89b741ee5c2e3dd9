"""A query, a document and their codes to an Explanation. Arrays in, numbers and text out."""

from .attribution import Attribution, attribute
from .evidence import Evidence, FeatureEvidence, SentenceShare, TextEvidence, TokenShare
from .explanation import Explanation, FeatureShare
from .support import Overlap, overlap

__all__ = [
    "Attribution",
    "Evidence",
    "Explanation",
    "FeatureEvidence",
    "FeatureShare",
    "Overlap",
    "SentenceShare",
    "TextEvidence",
    "TokenShare",
    "attribute",
    "overlap",
]
