"""A query, a document and their codes to an Explanation. Arrays in, numbers and text out."""

from .attribution import Attribution, attribute
from .breakdown import Breakdown, Part
from .contrast import Contrast, FeatureContrast
from .evidence import Evidence, FeatureEvidence, SentenceShare, TextEvidence, TokenShare
from .explanation import DEFAULT_TOP, Chunk, Explanation, FeatureShare
from .reading import Reading
from .support import Overlap, overlap

__all__ = [
    "DEFAULT_TOP",
    "Attribution",
    "Breakdown",
    "Chunk",
    "Contrast",
    "Evidence",
    "Explanation",
    "FeatureContrast",
    "FeatureEvidence",
    "FeatureShare",
    "Overlap",
    "Part",
    "Reading",
    "SentenceShare",
    "TextEvidence",
    "TokenShare",
    "attribute",
    "overlap",
]
