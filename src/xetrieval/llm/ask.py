"""Ask, check the answer, and ask again with its fault named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import TypeVar

from .base import Answer, ChatModel
from .checks import Checked
from .prompt import Prompt

Value = TypeVar("Value")


def attempts(
    model: ChatModel, prompt: Prompt, check: Callable[[Answer], Checked[Value]], **values: str
) -> Iterator[Checked[Value]]:
    """Checked answers without end; each request names the fault of the answer before it."""
    fault = None
    for attempt in count():
        checked = check(model.ask(prompt.request(attempt, fault, **values)))
        yield checked
        fault = checked.fault


def ask(
    model: ChatModel, prompt: Prompt, check: Callable[[Answer], Checked[Value]], retries: int, **values: str
) -> Checked[Value]:
    """The first usable answer, or the last unusable one after `retries` more attempts.

    Raises:
        EndpointError: the model does not answer. BudgetSpent: asking could cost too much.
    """
    for checked in islice(attempts(model, prompt, check, **values), retries + 1):
        if checked.fault is None:
            break
    return checked
