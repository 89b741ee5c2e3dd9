"""--skip-bad: rows that cannot be used are left out, listed in a file beside the output, and reported."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import say

if TYPE_CHECKING:
    from ..data import Skipped

PRINTED = 5  # rows on the terminal, where a file lists all

SkipBad = Annotated[
    bool,
    typer.Option(
        "--skip-bad",
        help="Skip unusable rows and list them with reasons in OUTPUT.bad.jsonl, or here if there is no output file.",
    ),
]


def collector(*, skip_bad: bool) -> Skipped:
    """What takes the rows that cannot be used; without --skip-bad it refuses the first."""
    from ..data import Skipped

    return Skipped(bad_rows=skip_bad)


def report_skipped(skipped: Skipped, output: Path | None) -> None:
    """Print what was left out and why on stderr; list the rows in a file beside `output`, if there is one."""
    path = skipped.write(output) if output is not None and skipped.bad_rows else None
    rows = skipped.rows
    if rows:
        count = f"{len(rows):,} row{'s were' if len(rows) > 1 else ' was'} left out"
        say(count + (f"; all are listed in {path}" if path else ""))
        printed = PRINTED if path else len(rows)
        say_all(f"  {row}" for row in rows[:printed])
        if len(rows) > printed:
            say(f"  and {len(rows) - printed:,} more")
    say_all(skipped.notes)


def look_through(corpora: Sequence[Path], output: Path | None, *, skip_bad: bool) -> Skipped:
    """Read everything once before any encoding: what cannot be used is refused now, or reported and left out."""
    from ..data.sources import stream_documents

    skipped = collector(skip_bad=skip_bad)
    used = sum(1 for _ in stream_documents(corpora, skipped))
    skipped.check(used, ", ".join(map(str, corpora)))
    report_skipped(skipped, output)
    return skipped


def say_all(notes: Iterable[str]) -> None:
    """Sentences on stderr, one a line."""
    for note in notes:
        say(note)
