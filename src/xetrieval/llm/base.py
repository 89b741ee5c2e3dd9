"""What a language model is asked and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable


class Message(NamedTuple):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Request:
    """One question, with everything that can change its answer.

    Args:
        max_tokens: the answer's length limit.
        schema: JSON schema that the answer must fit; None asks for plain text.
        version: of the prompt; another version is another request, whatever its words.
        attempt: 0, or how often the same was asked before and answered with something of no use.
    """

    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float = 0.0
    schema: Mapping[str, Any] | None = None
    version: str = ""
    attempt: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "messages": [message._asdict() for message in self.messages],
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "schema": None if self.schema is None else dict(self.schema),
            "version": self.version,
            "attempt": self.attempt,
        }


class Usage(NamedTuple):
    """Tokens of one answer or of many."""

    prompt: int = 0
    completion: int = 0

    @property
    def total(self) -> int:
        """Both together."""
        return self.prompt + self.completion


class Answer(NamedTuple):
    """What came back. An empty text is an answer too; whoever asked decides whether it is of use."""

    text: str
    usage: Usage = Usage()
    finish: str = "stop"  # "length" where it was cut at max_tokens
    cached: bool = False  # it cost nothing this time


@runtime_checkable
class ChatModel(Protocol):
    """Anything that answers requests. May be asked from several threads at once."""

    @property
    def name(self) -> str:
        """What its answers are recorded under; two models of one name answer alike."""

    def ask(self, request: Request) -> Answer:
        """The answer.

        Raises:
            EndpointError: none is to be had. BudgetSpent: asking would cost too much.
        """
