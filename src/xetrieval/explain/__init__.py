"""Explains why a query and a document get their score."""

from .attribution import Attribution, attribute, attribute_shared
from .batch import explain_file
from .contrast import Contrast
from .counterfactual import RankChange, Swap, smallest_boost, smallest_erasure
from .evidence import Evidence, SentenceShare, TextEvidence, TokenShare
from .explainer import Explainer
from .explanation import DEFAULT_TOP, Chunk, Explanation, OtherTerms, Term
from .pairs import ExplainedPairs
from .reading import Reading
from .support import Overlap, overlap
from .words import PartWords, Words

load = Explainer.load

__all__ = [
    "DEFAULT_TOP",
    "Attribution",
    "Chunk",
    "Contrast",
    "Evidence",
    "ExplainedPairs",
    "Explainer",
    "Explanation",
    "OtherTerms",
    "Overlap",
    "PartWords",
    "RankChange",
    "Reading",
    "SentenceShare",
    "Swap",
    "Term",
    "TextEvidence",
    "TokenShare",
    "Words",
    "attribute",
    "attribute_shared",
    "explain_file",
    "load",
    "overlap",
    "smallest_boost",
    "smallest_erasure",
]
