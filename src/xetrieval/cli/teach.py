"""xetrieval teach: texts about a corpus, written by a language model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import CacheOption, progress_bar

if TYPE_CHECKING:
    from ..llm import CachedChat
    from ..teachers import Taught
    from ..teachers.written import TeachConfig


def teach(
    corpora: Annotated[list[Path], typer.Argument(metavar="CORPUS...", help="BEIR folders or JSON lines files.")],
    llm: Annotated[str, typer.Option("--llm", help="http(s)://HOST/v1#MODEL, gguf:FILE, or replay:FILE.")],
    output: Annotated[Path, typer.Option("--output", help="The file of texts, JSON lines.")],
    aspects: Annotated[
        str, typer.Option("--aspects", help="summary, purpose, qa, or prompt files of your own, by commas.")
    ] = "summary,purpose,qa",
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="This many documents, drawn by their ids; default: all.")
    ] = None,
    letters: Annotated[int, typer.Option("--letters", help="Letters of a document that the model is shown.")] = 8000,
    retries: Annotated[int, typer.Option("--retries", help="How often an unusable answer is asked for again.")] = 2,
    concurrency: Annotated[int, typer.Option("--concurrency", help="Requests at once.")] = 8,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds that an answer may take.")] = 120.0,
    budget_requests: Annotated[int | None, typer.Option("--budget-requests", help="Stop before more requests.")] = None,
    budget_tokens: Annotated[int | None, typer.Option("--budget-tokens", help="Stop before more tokens.")] = None,
    budget_money: Annotated[
        float | None, typer.Option("--budget-money", help="Stop before more money; needs --price.")
    ] = None,
    price: Annotated[
        str | None, typer.Option("--price", help="PROMPT,ANSWER: money per million tokens, e.g. 0.25,1.0.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would cost and ask nothing.")] = False,
    cache: CacheOption = None,
) -> None:
    """Let a language model write a summary, purpose and question-answer list of every document.

    Run it again to go on after an interruption; no answer is paid for twice. Exit code 3: the budget ended it.
    """
    from ..data import read_corpora, sample_documents
    from ..llm import Budget, CachedChat, Ledger, open_llm
    from ..teachers import TeachConfig, read_prompt
    from ..teachers import teach as run
    from ..teachers.written import cost_of

    config = TeachConfig(letters, retries, concurrency)
    budget = Budget(budget_requests, budget_tokens, budget_money, *_prices(price))
    prompts = [read_prompt(name.strip()) for name in aspects.split(",") if name.strip()]
    documents = sample_documents(read_corpora(corpora), limit)
    path = None if cache is None else cache / "llm.sqlite"
    model = CachedChat(open_llm(llm, timeout), path, Ledger(budget))
    if dry_run:
        costs = cost_of(documents, prompts, model, config)
        sys.stdout.write(
            f"{len(documents):,} documents, {len(prompts)} aspects: {costs.requests:,} requests to send, "
            f"{costs.at_hand:,} answers at hand\n"
            f"tokens of prompts {costs.likely.prompt:,} (at most {costs.most.prompt:,}), of answers "
            f"{costs.likely.completion:,} (at most {costs.most.completion:,})\n"
        )
        if price is not None:
            sys.stdout.write(f"cost about {costs.likely_cost:.2f}, at most {costs.most_cost:.2f}\n")
        return
    with progress_bar() as bar:
        task = bar.add_task("teach", total=len(documents) * len(prompts), note="")
        taught = run(
            documents,
            prompts,
            model,
            output,
            config,
            lambda done, total, note: bar.update(task, completed=done, total=total, note=note),
        )
    _say(taught, model, output, len(documents), config)
    if taught.stopped is not None:
        raise typer.Exit(3)


def _say(taught: Taught, model: CachedChat, output: Path, documents: int, config: TeachConfig) -> None:
    ledger = model.ledger
    cost = f", cost {ledger.cost:.4g}" if ledger.cost else ""
    lines = [
        f"{taught.texts:,} texts about {taught.documents:,} of {documents:,} documents in {output}",
        f"{ledger.requests:,} requests, {ledger.cached:,} answers at hand, {ledger.usage.prompt:,} + "
        f"{ledger.usage.completion:,} tokens{cost}",
    ]
    if taught.cut:
        lines.append(
            f"{taught.cut:,} documents were longer than {config.letters:,} letters; the model saw their beginning"
        )
    lines += [f"{count:,} texts given up: {fault}" for fault, count in taught.failed.most_common()]
    if taught.stopped is not None:
        lines.append(f"stopped: {taught.stopped}; run the same command with a larger budget to go on")
    sys.stderr.write("".join(f"{line}\n" for line in lines))


def _prices(price: str | None) -> tuple[float, float]:
    from ..errors import InputError

    if price is None:
        return 0.0, 0.0
    try:
        prompt, completion = (float(part) for part in price.split(","))
    except ValueError as error:
        raise InputError(f"--price {price!r}: give two numbers, PROMPT,ANSWER, per million tokens") from error
    return prompt, completion
