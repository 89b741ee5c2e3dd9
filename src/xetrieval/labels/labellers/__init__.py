"""Who labels features, only from the labelling side of their examples. One file per labeller."""

from .base import Labeller, Proposal
from .keyphrase import KeyphraseLabeller
from .llm import LlmLabeller

__all__ = ["KeyphraseLabeller", "Labeller", "LlmLabeller", "Proposal"]
