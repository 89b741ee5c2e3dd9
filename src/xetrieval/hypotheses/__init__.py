"""Features to labels: which texts make a feature fire, and what they have in common."""

from .examples import TopExamples, top_examples
from .keyphrases import keyphrase_labels
from .table import Feature, read_features, write_features

__all__ = ["Feature", "TopExamples", "keyphrase_labels", "read_features", "top_examples", "write_features"]
