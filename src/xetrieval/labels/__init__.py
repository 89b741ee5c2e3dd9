"""Labels of features: the texts that activate a feature, who labels it from them, and how well the label fits."""

from .examples import (
    Example,
    ExampleFolder,
    ExamplesConfig,
    FeatureExamples,
    Side,
    TopExamples,
    gather,
    load_examples,
    passage_blocks,
    save_examples,
    top_examples,
)
from .keyphrases import keyphrase_labels

__all__ = [
    "Example",
    "ExampleFolder",
    "ExamplesConfig",
    "FeatureExamples",
    "Side",
    "TopExamples",
    "gather",
    "keyphrase_labels",
    "load_examples",
    "passage_blocks",
    "save_examples",
    "top_examples",
]
