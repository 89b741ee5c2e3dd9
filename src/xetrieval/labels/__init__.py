"""Features to labels: which texts make a feature fire, what they have in common, and how far the label holds."""

from .examples import Example, FeatureExamples, Texts, TopExamples, top_examples
from .files import ExampleFolder, load_examples, save_examples
from .gather import ExamplesConfig, gather, passage_blocks
from .keyphrases import keyphrase_labels

__all__ = [
    "Example",
    "ExampleFolder",
    "ExamplesConfig",
    "FeatureExamples",
    "Texts",
    "TopExamples",
    "gather",
    "keyphrase_labels",
    "load_examples",
    "passage_blocks",
    "save_examples",
    "top_examples",
]
