"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from ..explainer import Explainer


class Format(StrEnum):
    """How results are printed."""

    text = "text"
    json = "json"


ExplainerOption = Annotated[
    str, typer.Option("--explainer", "-x", help="minilm (shipped), or the folder of another explainer.")
]
EncoderOption = Annotated[
    str | None,
    typer.Option("--encoder", help="Another copy of the explainer's encoder; refused unless it is the same."),
]
TopOption = Annotated[
    int | None, typer.Option("--top", "-n", min=0, help="Show this many features; the others are summed.")
]


class ReportFormat(StrEnum):
    """How an explanation is given."""

    text = "text"
    json = "json"
    html = "html"


ReportFormatOption = Annotated[
    ReportFormat, typer.Option("--format", help="text, json, or html: one page, readable without a network.")
]
FormatOption = Annotated[Format, typer.Option("--format", help="text or json.")]
CacheOption = Annotated[
    Path | None, typer.Option("--cache", help="Folder for encoded texts (default: the user's cache folder).")
]


def open_explainer(source: str, encoder: str | None, cache: Path | None) -> Explainer:
    """The explainer that the options name."""
    from ..explainer import load

    return load(source, encoder=encoder, cache=cache or True)


def progress_bar() -> Progress:
    """A bar on standard error, with counts, rate and time left; it vanishes from pipes."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
    )


def show_bar(bar: Progress) -> Callable[[str, int, int, str], None]:
    """A report (stage, done, total, note) as one line of the bar a stage."""
    tasks: dict[str, Any] = {}

    def report(stage: str, done: int, total: int, note: str) -> None:
        if stage not in tasks:
            tasks[stage] = bar.add_task(stage, total=total, note="")
        bar.update(tasks[stage], completed=done, total=total, note=note)

    return report


def output_console() -> Console:
    """Standard output, never narrower than the tables need."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=100)
