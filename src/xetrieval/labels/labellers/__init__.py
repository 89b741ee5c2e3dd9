"""Labellers, which see only the labelling side of a feature's examples, or some of its uses.

One file per kind of labeller.
"""

from .base import Labeller, Proposal, Shown
from .keyphrase import KeyphraseLabeller
from .llm import ByLlm, LlmLabeller, UsesLabeller

__all__ = ["ByLlm", "KeyphraseLabeller", "Labeller", "LlmLabeller", "Proposal", "Shown", "UsesLabeller"]
