"""A query, a document and their codes to an Explanation. Arrays in, numbers and text out."""

from .attribution import Attribution, attribute
from .contrast import Contrast, FeatureContrast
from .evidence import Evidence, FeatureEvidence, SentenceShare, TextEvidence, TokenShare
from .explanation import DEFAULT_TOP, Chunk, Explanation, FeatureShare
from .support import Overlap, overlap

__all__ = [
    "DEFAULT_TOP",
    "Attribution",
    "Chunk",
    "Contrast",
    "Evidence",
    "Explanation",
    "FeatureContrast",
    "FeatureEvidence",
    "FeatureShare",
    "Overlap",
    "SentenceShare",
    "TextEvidence",
    "TokenShare",
    "attribute",
    "overlap",
]
