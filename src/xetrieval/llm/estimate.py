"""What a run would cost, before it starts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .base import Request, Usage
from .budget import Budget, about, at_most
from .cache import CachedChat


class Estimate(NamedTuple):
    """Requests to send, and tokens and money: likely, and at most. Answers in the cache cost nothing."""

    requests: int
    at_hand: int
    likely: Usage
    most: Usage
    likely_cost: float
    most_cost: float


def estimate(model: CachedChat, requests: Iterable[Request], budget: Budget | None = None) -> Estimate:
    """Count without sending anything. Further attempts after unusable answers are not included."""
    budget = budget or model.ledger.budget
    sent = at_hand = 0
    likely, most = Usage(), Usage()
    for request in requests:
        if model.known(request) is not None:
            at_hand += 1
            continue
        sent += 1
        likely = Usage(*(a + b for a, b in zip(likely, about(request), strict=True)))
        most = Usage(*(a + b for a, b in zip(most, at_most(request), strict=True)))
    return Estimate(sent, at_hand, likely, most, budget.cost(likely), budget.cost(most))
