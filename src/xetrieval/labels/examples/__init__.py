"""Gather the texts on which features are active or silent from a corpus, and keep them in a folder.

Documents are split into two sides by a hash of their ids: labellers see one side, judges the other. So no label is
judged on a text that it was made from.
"""

from ...configs import ExamplesConfig
from .base import PROMPTS, Example, FeatureExamples, Side, one_line
from .best import TopExamples, active_entries, top_examples
from .blocks import Block, Blocks, passage_blocks, side_of
from .folder import ExampleFolder, load_examples, save_examples
from .gather import CorpusExamples, gather

__all__ = [
    "PROMPTS",
    "Block",
    "Blocks",
    "CorpusExamples",
    "Example",
    "ExampleFolder",
    "ExamplesConfig",
    "FeatureExamples",
    "Side",
    "TopExamples",
    "active_entries",
    "gather",
    "load_examples",
    "one_line",
    "passage_blocks",
    "save_examples",
    "side_of",
    "top_examples",
]
