"""Why a query and a document get their score: the explainer, and each question asked of it."""

from .attribution import Attribution, attribute
from .batch import explain_file
from .breakdown import Breakdown, Part
from .contrast import Contrast, FeatureContrast
from .counterfactual_search import Boost, Erasure, smallest_boost, smallest_erasure
from .evidence import Evidence, FeatureEvidence, SentenceShare, TextEvidence, TokenShare
from .explainer import Explainer
from .explanation import DEFAULT_TOP, Chunk, Explanation, FeatureShare
from .pairs import ExplainedPairs
from .reading import Reading
from .support import Overlap, overlap

load = Explainer.load

__all__ = [
    "DEFAULT_TOP",
    "Attribution",
    "Boost",
    "Breakdown",
    "Chunk",
    "Contrast",
    "Erasure",
    "Evidence",
    "ExplainedPairs",
    "Explainer",
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
    "explain_file",
    "load",
    "overlap",
    "smallest_boost",
    "smallest_erasure",
]
