"""--skip-bad: rows that cannot be used are left out, listed in a file beside the output, and said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import say

if TYPE_CHECKING:
    from ..data import LeftOut

SAID = 5  # rows that are named on the terminal, where a file names all

SkipBad = Annotated[
    bool,
    typer.Option(
        "--skip-bad",
        help="Skip unusable rows and list them with reasons in OUTPUT.bad.jsonl, or here if there is no output file.",
    ),
]


def collector(skip_bad: bool) -> LeftOut | None:
    """What takes bad rows: None refuses the first."""
    from ..data import LeftOut

    return LeftOut() if skip_bad else None


def say_left_out(left_out: LeftOut | None, output: Path | None) -> None:
    """Write the list beside `output`, if there is one, and say on stderr what was left out and why."""
    if left_out is None:
        return
    path = None if output is None else left_out.write(output)
    rows = left_out.rows
    if not rows:
        return
    count = f"{len(rows):,} row{'s were' if len(rows) > 1 else ' was'} left out"
    say(count + (f"; all are listed in {path}" if path else ""))
    named = SAID if path else len(rows)
    say_all(f"  {row}" for row in rows[:named])
    if len(rows) > named:
        say(f"  and {len(rows) - named:,} more")


def look_through(corpora: Sequence[Path], skip_bad: bool, output: Path | None) -> LeftOut | None:
    """Read everything once before any encoding: what cannot be used is refused now, or said and left out."""
    from ..data import PassedOver
    from ..data.passages import stream_documents

    left_out, passed = collector(skip_bad), PassedOver()
    used = sum(1 for _ in stream_documents(corpora, left_out, passed))
    if left_out is not None:
        left_out.check(used, ", ".join(map(str, corpora)))
    say_left_out(left_out, output)
    say_all(passed.notes)
    return left_out


def say_all(notes: Iterable[str]) -> None:
    """Sentences on stderr, one a line."""
    for note in notes:
        say(note)
