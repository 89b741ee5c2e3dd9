"""Who labels features, from the labelling side of their examples alone. One file a labeller."""

from .base import Labeller, Proposal
from .keyphrase import KeyphraseLabeller
from .llm import LlmLabeller

__all__ = ["KeyphraseLabeller", "Labeller", "LlmLabeller", "Proposal"]
