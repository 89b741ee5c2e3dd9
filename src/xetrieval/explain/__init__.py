"""A query, a document and their codes to an Explanation. Arrays in, numbers and text out."""

from .attribution import Attribution, attribute
from .explanation import Explanation, FeatureShare
from .support import Overlap, overlap

__all__ = ["Attribution", "Explanation", "FeatureShare", "Overlap", "attribute", "overlap"]
