"""xetrieval teach: texts about a corpus, written by a language model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..configs import Option, Range, TeachConfig
from ..errors import InputError
from .console import print_message
from .llm_options import DryRunOptions, end
from .options import CorporaArgument
from .output import check_output
from .progress import progress_bar
from .skipped import SkipBad, print_messages, report_skipped, skipped_rows


def teach(
    corpora: CorporaArgument,
    output: Annotated[Path, Option("The file of texts, JSON Lines.")],
    config: TeachConfig,
    options: DryRunOptions,
    aspects: Annotated[
        str, Option("summary, purpose, qa, or your own prompt files, separated by commas.")
    ] = "summary,purpose,qa",
    limit: Annotated[
        int | None, Option("Only this many documents, sampled by their ids; default: all."), Range(1)
    ] = None,
    *,
    skip_bad: SkipBad = False,
) -> None:
    """Let a language model write a summary, a purpose and a question-answer list for every document.

    Run it again to resume; no answer is paid for twice. Exit code 2: no answer could be used; 3: the budget is used up.
    """
    from ..data import read_corpora, sample_documents
    from ..teachers import read_prompt
    from ..teachers import teach as run
    from ..teachers.written import requests

    prompts = [read_prompt(name.strip()) for name in aspects.split(",") if name.strip()]
    skipped = skipped_rows(skip_bad=skip_bad)
    if not options.dry_run:
        check_output(output, *corpora)
    if not prompts:
        raise InputError("--aspects is empty; give summary, purpose, qa, or prompt files")
    documents = sample_documents(read_corpora(corpora, skipped), limit)
    report_skipped(skipped, None if options.dry_run else output)
    model = options.open()
    if options.dry_run:
        costs = model.estimate(requests(documents, prompts, config))
        options.print_costs(f"{len(documents):,} documents, {len(prompts)} aspects", costs)
        return
    with progress_bar() as progress:
        taught = run(documents, prompts, model, output, config, progress)
    print_message(f"{taught.texts:,} texts about {taught.documents:,} of {len(documents):,} documents in {output}")
    if taught.cut:
        limit_of = f"{config.characters:,} characters"
        print_message(f"{taught.cut:,} documents are longer than {limit_of}; the model read only the beginning")
    print_messages(f"{count:,} texts could not be written: {fault}" for fault, count in taught.failed.most_common())
    end(model, taught.stopped)
    if not taught.texts and taught.failed:
        raise InputError(
            f"no answer of {model.name} could be used; {output} lists the faults; try another model or prompt"
        )
