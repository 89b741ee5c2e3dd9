"""xetrieval check: a gate for continuous integration."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..configs import Option
from .console import print_json, write
from .output import print_parts
from .progress import progress_bar
from .search import ExplainerCopy, IndexArgument


class CheckFormat(StrEnum):
    """How the outcome is printed."""

    text = "text"
    json = "json"
    junit = "junit"


@dataclass(frozen=True)
class CheckOptions:
    """What is expected, and how the outcome is printed."""

    expect: Annotated[
        Path,
        Option("JSON lines with query, doc_id, and in_top, not_in_top or explained; also by and filters; - is stdin."),
    ]
    format: Annotated[
        CheckFormat, Option("text, json, or junit (XML that systems for continuous integration show).")
    ] = CheckFormat.text
    explainer: ExplainerCopy = None


def check(index: IndexArgument, options: CheckOptions) -> None:
    """Check that documents are in the top k, or are not, and explain what broke.

    Exit code 0: all expectations hold; 1: one does not; 2: the file or the index cannot be used.
    """
    from ..index import open_index, read_expectations
    from ..index.ask.expect import check as run
    from ..index.ask.junit import junit
    from ..index.ask.tables import checked_parts
    from .streams import readable

    with readable([options.expect]) as (expect,):
        wanted = read_expectations(expect)
    with progress_bar() as progress:
        found = run(open_index(index, options.explainer), wanted, progress)
    if options.format is CheckFormat.json:
        print_json(found.to_dict())
    elif options.format is CheckFormat.junit:
        write(junit(found, f"xetrieval check {index.name}"))
    else:
        print_parts(checked_parts(found), None)
    if not found.passed:
        raise typer.Exit(1)
