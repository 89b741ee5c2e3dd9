"""Features to labels: which texts make a feature fire, what they have in common, and how far the label holds."""

from .examples import Example, FeatureExamples, Texts, TopExamples, top_examples
from .families import Family, read_families, write_families
from .files import ExampleFolder, gathered_examples, load_examples, save_examples
from .gather import ExamplesConfig, gather, passage_blocks
from .keyphrases import keyphrase_labels
from .table import Feature, Score, read_features, write_features

__all__ = [
    "Example",
    "ExampleFolder",
    "ExamplesConfig",
    "Family",
    "Feature",
    "FeatureExamples",
    "Score",
    "Texts",
    "TopExamples",
    "gather",
    "gathered_examples",
    "keyphrase_labels",
    "load_examples",
    "passage_blocks",
    "read_families",
    "read_features",
    "save_examples",
    "top_examples",
    "write_families",
    "write_features",
]
