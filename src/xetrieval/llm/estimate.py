"""What a run would cost, before it is started."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .base import Request, Usage
from .budget import Budget, about, at_most
from .cache import CachedChat


class Estimate(NamedTuple):
    """Requests that would be sent, and tokens and money: likely, and at most. Answers at hand cost nothing."""

    requests: int
    at_hand: int
    likely: Usage
    most: Usage
    likely_cost: float
    most_cost: float


def estimate(model: CachedChat, requests: Iterable[Request], budget: Budget | None = None) -> Estimate:
    """Count without asking. Answers that are of no use and asked for again come on top."""
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
