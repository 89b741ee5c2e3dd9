"""Requests to a language model, and its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from ..records import record_of


class Message(NamedTuple):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Request:
    """One request, with everything that can change the answer.

    Args:
        max_tokens: the answer's length limit.
        schema: JSON schema of the answer; None asks for plain text.
        version: the prompt's version; part of the cache key.
        attempt: 0, or how many unusable answers came before; part of the cache key.
    """

    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float = 0.0
    schema: Mapping[str, object] | None = None
    version: str = ""
    attempt: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Every field as JSON; the cache key is a hash of this and the model's name."""
        return {name: record_of(value) for name, value in vars(self).items()}


class Usage(NamedTuple):
    """Tokens of one or more answers."""

    prompt: int = 0
    completion: int = 0

    @property
    def total(self) -> int:
        """Prompt and completion tokens."""
        return self.prompt + self.completion

    def plus(self, other: Usage) -> Usage:
        """The sum of the two."""
        return Usage(self.prompt + other.prompt, self.completion + other.completion)

    def minus(self, other: Usage) -> Usage:
        """The difference of the two."""
        return Usage(self.prompt - other.prompt, self.completion - other.completion)


class Answer(NamedTuple):
    """The model's text. It may be empty; the caller decides whether it is usable."""

    text: str
    usage: Usage = Usage()
    finish: str = "stop"  # "length" if it was cut at max_tokens
    cached: bool = False  # it cost nothing

    @property
    def filtered(self) -> bool:
        """Whether the server's content filter stopped the model, so that the text is not its whole answer."""
        return self.finish == "content_filter"


@runtime_checkable
class ChatModel(Protocol):
    """Anything that answers requests, from several threads at once."""

    @property
    def name(self) -> str:
        """Part of the cache key; models with the same name must give the same answers."""

    def ask(self, request: Request) -> Answer:
        """The answer.

        Raises:
            EndpointError: no answer. BudgetSpent: the request could cost too much.
        """
