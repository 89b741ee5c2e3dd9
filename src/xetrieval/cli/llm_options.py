"""Options of every command that asks a language model: which one, and what it may cost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..configs import Option, Range
from ..errors import InputError
from .console import print_line, print_message
from .options import CacheOption

if TYPE_CHECKING:
    from ..llm import CachedChat, Estimate


@dataclass(frozen=True)
class LlmOptions:
    """The fields are the options."""

    llm: Annotated[str | None, Option("http(s)://HOST/v1#MODEL, gguf:FILE, or replay:FILE.")] = None
    timeout: Annotated[float, Option("Seconds to wait for an answer."), Range(0.1)] = 120.0
    budget_requests: Annotated[int | None, Option("Stop before exceeding this many requests.")] = None
    budget_tokens: Annotated[int | None, Option("Stop before exceeding this many tokens.")] = None
    budget_money: Annotated[float | None, Option("Stop before exceeding this much money; needs --price.")] = None
    price: Annotated[str | None, Option("PROMPT,ANSWER: prices per million tokens, e.g. 0.25,1.0.")] = None
    cache: CacheOption = None

    def open(self) -> CachedChat:
        """The model, with its cache and its budget.

        Raises:
            InputError: no --llm, or an invalid budget or price.
        """
        from ..llm import Budget, CachedChat, Ledger, open_llm

        if self.llm is None:
            raise InputError("give --llm: http(s)://HOST/v1#MODEL, gguf:FILE, or replay:FILE")
        budget = Budget(self.budget_requests, self.budget_tokens, self.budget_money, *self._prices())
        path = None if self.cache is None else self.cache / "llm.sqlite"
        return CachedChat(open_llm(self.llm, self.timeout), path, Ledger(budget))

    def refuse(self, instead: str) -> None:
        """Raise InputError if a budget or a price is given, since `instead` uses no language model."""
        for name in ("budget_requests", "budget_tokens", "budget_money", "price"):
            if getattr(self, name) is not None:
                raise InputError(
                    f"--{name.replace('_', '-')} applies only to --llm; it cannot be combined with {instead}"
                )

    def print_costs(self, what: str, costs: Estimate) -> None:
        """Print what a run would cost, for --dry-run."""
        print_line(f"{what}: {costs.requests:,} requests to send, {costs.at_hand:,} answers in the cache")
        print_line(
            f"prompt tokens: {costs.likely.prompt:,} (at most {costs.most.prompt:,}); answer tokens: "
            f"{costs.likely.completion:,} (at most {costs.most.completion:,})"
        )
        if self.price is not None:
            print_line(f"cost about {costs.likely_cost:.2f}, at most {costs.most_cost:.2f}")

    def _prices(self) -> tuple[float, float]:
        if self.price is None:
            return 0.0, 0.0
        try:
            prompt, completion = (float(part) for part in self.price.split(","))
        except ValueError as error:
            raise InputError(f"--price {self.price!r}: give two numbers, PROMPT,ANSWER, per million tokens") from error
        return prompt, completion


@dataclass(frozen=True)
class DryRunOptions(LlmOptions):
    """The same, with --dry-run."""

    dry_run: Annotated[bool, Option("Show the cost without asking the model.")] = False


def end(model: CachedChat | None, stopped: str | None) -> None:
    """Print what a run used and why it ended early, if it did; then the exit code is 3."""
    if model is not None:
        ledger = model.ledger
        cost = f", cost {ledger.cost:.4g}" if ledger.cost else ""
        tokens = f"{ledger.usage.prompt:,} + {ledger.usage.completion:,} tokens"
        print_message(f"{ledger.requests:,} requests, {ledger.cached:,} answers from the cache, {tokens}{cost}")
    if stopped is not None:
        print_message(f"stopped: {stopped}; run the same command with a larger budget to resume")
        raise typer.Exit(3)


OutputFolder = Annotated[Path | None, Option("Write a changed copy here; default: change the explainer itself.")]
