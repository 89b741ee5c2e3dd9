"""A strict limit: before a request is sent, the most it can cost is reserved."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

from ..errors import BudgetSpent, InputError
from .base import Answer, Request, Usage

BYTES_PER_TOKEN = 4.0  # on average in prose
LEAST_BYTES_PER_TOKEN = 2.0  # in any text except symbols; reservations assume this
TOKENS_PER_MESSAGE = 8  # tokens that a chat template adds


@dataclass(frozen=True)
class Budget:
    """Limits of one run; None: no limit. Prices are per million tokens, in the currency of `money`."""

    requests: int | None = None
    tokens: int | None = None
    money: float | None = None
    prompt_price: float = 0.0
    completion_price: float = 0.0

    def __post_init__(self) -> None:
        for name in ("requests", "tokens", "money"):
            limit = getattr(self, name)
            if limit is not None and not (math.isfinite(limit) and limit > 0):
                raise InputError(f"the budget of {name} is {limit}; it must be positive, or omitted for no limit")
        if min(self.prompt_price, self.completion_price) < 0 or not math.isfinite(
            self.prompt_price + self.completion_price
        ):
            raise InputError("prices per million tokens must be finite numbers, 0 or more")
        if self.money is not None and not self.prompt_price + self.completion_price:
            raise InputError("a budget of money needs the prices per million tokens of prompts and of answers")

    def cost(self, usage: Usage) -> float:
        """The price of these tokens."""
        return (usage.prompt * self.prompt_price + usage.completion * self.completion_price) / 1e6


def about(request: Request) -> Usage:
    """The likely tokens of a request: its text at 4 bytes per token, and half the answer's limit."""
    return Usage(_prompt_tokens(request, BYTES_PER_TOKEN), request.max_tokens // 2)


def at_most(request: Request) -> Usage:
    """The maximum number of tokens of a request: its text at 2 bytes per token, and the answer's full limit."""
    return Usage(_prompt_tokens(request, LEAST_BYTES_PER_TOKEN), request.max_tokens)


def _prompt_tokens(request: Request, bytes_per_token: float) -> int:
    size = sum(len(message.content.encode("utf-8", "replace")) for message in request.messages)
    return math.ceil(size / bytes_per_token) + TOKENS_PER_MESSAGE * len(request.messages)


def _counted(answer: Answer, reserved: Usage) -> Usage:
    """Tokens of an answer. A missing or absurd count is replaced by the reserved one, never zero."""
    prompt, completion = answer.usage
    if not completion and (answer.text or not prompt):
        completion = reserved.completion
    return Usage(prompt or reserved.prompt, completion)


class Ledger:
    """What a run has used, and what its pending requests could use. Thread-safe.

    If a server counts more than was reserved (a finer tokenizer, hidden reasoning), later reservations grow by the
    same factor.
    """

    def __init__(self, budget: Budget | None = None) -> None:
        self.budget = budget or Budget()
        self.usage, self.requests, self.cached = Usage(), 0, 0
        self._open, self._finer = Usage(), 1.0
        self._lock = threading.Lock()

    @property
    def cost(self) -> float:
        """Money spent so far."""
        return self.budget.cost(self.usage)

    def reserve(self, request: Request) -> Usage:
        """Reserve the most that `request` can use.

        Raises:
            BudgetSpent: that would exceed a limit; nothing is reserved.
        """
        bound, budget = at_most(request), self.budget
        with self._lock:
            most = Usage(math.ceil(bound.prompt * self._finer), math.ceil(bound.completion * self._finer))
            after = self.usage.plus(self._open).plus(most)
            if budget.requests is not None and self.requests + 1 > budget.requests:
                raise BudgetSpent(f"the budget of {budget.requests:,} requests is used up")
            if budget.tokens is not None and after.total > budget.tokens:
                raise BudgetSpent(
                    f"the next request could exceed the budget of {budget.tokens:,} tokens ({self.usage.total:,} used)"
                )
            if budget.money is not None and budget.cost(after) > budget.money:
                raise BudgetSpent(
                    f"the next request could exceed the budget of {budget.money:g} (used {self.cost:.4g})"
                )
            self.requests += 1
            self._open = self._open.plus(most)
        return most

    def settle(self, reserved: Usage, answer: Answer | None) -> None:
        """Replace a reservation with what was used; counts that the server does not report stay as reserved."""
        used = Usage() if answer is None else _counted(answer, reserved)
        with self._lock:
            self._open, self.usage = self._open.minus(reserved), self.usage.plus(used)
            self._finer = max(self._finer, self._finer * used.total / max(1, reserved.total))

    def free(self) -> None:
        """Count an answer from the cache."""
        with self._lock:
            self.cached += 1
