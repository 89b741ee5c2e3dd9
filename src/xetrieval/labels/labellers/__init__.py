"""Who labels features, only from the labelling side of their examples, or from some of their uses.

One file per kind of labeller.
"""

from .base import Labeller, Proposal, Shown
from .keyphrase import KeyphraseLabeller
from .llm import ByLlm, LlmLabeller, UsesLabeller

__all__ = ["ByLlm", "KeyphraseLabeller", "Labeller", "LlmLabeller", "Proposal", "Shown", "UsesLabeller"]
