"""Language models: any OpenAI-compatible server, a local model, or a replay; cached, budgeted, resumable."""

from .ask import ask, attempts, in_parallel
from .base import Answer, ChatModel, Message, Request, Usage
from .budget import Budget, Ledger
from .cache import CachedChat, Estimate
from .checks import Checked
from .client import OpenAIChat
from .open import open_llm
from .prompt import Prompt, object_schema, read_prompt
from .replay import ReplayChat

__all__ = [
    "Answer",
    "Budget",
    "CachedChat",
    "ChatModel",
    "Checked",
    "Estimate",
    "Ledger",
    "Message",
    "OpenAIChat",
    "Prompt",
    "ReplayChat",
    "Request",
    "Usage",
    "ask",
    "attempts",
    "in_parallel",
    "object_schema",
    "open_llm",
    "read_prompt",
]
