"""--skip-bad: rows that cannot be used are left out, listed in a file beside the output, and reported."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ..configs import Option
from .console import print_message

if TYPE_CHECKING:
    from ..data import Skipped

PRINTED = 5  # rows printed if a file lists them all

SkipBad = Annotated[
    bool,
    Option("Skip unusable rows and list them with reasons in OUTPUT.bad.jsonl (without an output file: print them)."),
]


def skipped_rows(*, skip_bad: bool) -> Skipped:
    """Collects rows that cannot be used; without --skip-bad, the first one is an error."""
    from ..data import Skipped

    return Skipped(bad_rows=skip_bad)


def report_skipped(skipped: Skipped, output: Path | None) -> None:
    """Print what was left out and why on stderr; list the rows in a file beside `output`, if there is one."""
    path = skipped.write(output) if output is not None and skipped.bad_rows else None
    rows = skipped.rows
    if rows:
        count = f"{len(rows):,} row{'s were' if len(rows) > 1 else ' was'} left out"
        print_message(count + (f"; all are listed in {path}" if path else ""))
        printed = PRINTED if path else len(rows)
        print_messages(f"  {row}" for row in rows[:printed])
        if len(rows) > printed:
            print_message(f"  and {len(rows) - printed:,} more")
    print_messages(skipped.notes)


def check_corpora(corpora: Sequence[Path], output: Path | None, *, skip_bad: bool) -> Skipped:
    """Read everything once before any encoding, so that unusable rows are refused or skipped at the start."""
    from ..data.sources import stream_documents

    skipped = skipped_rows(skip_bad=skip_bad)
    used = sum(1 for _ in stream_documents(corpora, skipped))
    skipped.check(used, ", ".join(map(str, corpora)))
    report_skipped(skipped, output)
    return skipped


def print_messages(notes: Iterable[str]) -> None:
    """Print sentences on stderr, one per line."""
    for note in notes:
        print_message(note)
