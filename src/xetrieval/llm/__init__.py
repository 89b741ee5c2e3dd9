"""Prompts in, texts out: any OpenAI-compatible server, a local model, or a replay; cached, budgeted, resumable."""

from .base import Answer, ChatModel, Message, Request, Usage
from .budget import Budget, Ledger
from .cache import CachedChat
from .client import OpenAIChat
from .estimate import Estimate, estimate
from .open import open_llm
from .parallel import in_parallel
from .replay import ReplayChat

__all__ = [
    "Answer",
    "Budget",
    "CachedChat",
    "ChatModel",
    "Estimate",
    "Ledger",
    "Message",
    "OpenAIChat",
    "ReplayChat",
    "Request",
    "Usage",
    "estimate",
    "in_parallel",
    "open_llm",
]
