"""xetrieval teach: texts about a corpus, written by a language model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import say
from .llm_options import DryRun, LlmOptions, used
from .output import check_output
from .progress import progress_bar
from .shared import with_options
from .skipped import SkipBad, collector, report_skipped

if TYPE_CHECKING:
    from ..llm import CachedChat
    from ..teachers import TeachResult
    from ..teachers.written import TeachConfig


@with_options
def teach(
    options: LlmOptions,
    corpora: Annotated[list[Path], typer.Argument(metavar="CORPUS...", help="BEIR folders or JSON lines files.")],
    output: Annotated[Path, typer.Option("--output", help="The file of texts, JSON lines.")],
    aspects: Annotated[
        str, typer.Option("--aspects", help="summary, purpose, qa, or your own prompt files, separated by commas.")
    ] = "summary,purpose,qa",
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only this many documents, sampled by their ids; default: all.")
    ] = None,
    characters: Annotated[
        int, typer.Option("--characters", help="How many characters of a document the model reads.")
    ] = 8000,
    retries: Annotated[int, typer.Option("--retries", help="Further attempts after an unusable answer.")] = 2,
    dry_run: DryRun = False,
    skip_bad: SkipBad = False,
) -> None:
    """Let a language model write a summary, a purpose and a question-answer list for every document.

    Run it again to resume; no answer is paid for twice. Exit code 3: the budget is used up.
    """
    from ..data import read_corpora, sample_documents
    from ..errors import InputError
    from ..teachers import TeachConfig, read_prompt
    from ..teachers import teach as run
    from ..teachers.written import requests

    config = TeachConfig(characters, retries, options.concurrency)
    prompts = [read_prompt(name.strip()) for name in aspects.split(",") if name.strip()]
    skipped = collector(skip_bad)
    if not dry_run:
        check_output(output, *corpora)
    if not prompts:
        raise InputError("--aspects names no aspect; give summary, purpose, qa, or files with prompts")
    documents = sample_documents(read_corpora(corpora, skipped), limit)
    report_skipped(skipped, None if dry_run else output)
    model = options.open()
    if dry_run:
        costs = model.estimate(requests(documents, prompts, config))
        options.say_costs(f"{len(documents):,} documents, {len(prompts)} aspects", costs)
        return
    with progress_bar() as progress:
        taught = run(documents, prompts, model, output, config, progress)
    _say(taught, model, output, len(documents), config)
    if taught.stopped is not None:
        raise typer.Exit(3)


def _say(taught: TeachResult, model: CachedChat, output: Path, documents: int, config: TeachConfig) -> None:
    lines = [
        f"{taught.texts:,} texts about {taught.documents:,} of {documents:,} documents in {output}",
        used(model),
    ]
    if taught.cut:
        lines.append(
            f"{taught.cut:,} documents are longer than {config.characters:,} characters; the model read their beginning"
        )
    lines += [f"{count:,} texts given up: {fault}" for fault, count in taught.failed.most_common()]
    if taught.stopped is not None:
        lines.append(f"stopped: {taught.stopped}; run the same command with a larger budget to resume")
    for line in lines:
        say(line)
