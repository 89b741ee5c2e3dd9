"""Progress of long-running work on standard error: a bar in a terminal, elsewhere a line every ten seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from .console import print_message

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

    from ..progress import Progress

EVERY: Final = 10.0  # seconds between two lines


@contextmanager
def progress_bar(clock: Callable[[], float] = time.monotonic) -> Iterator[Progress]:
    """Counts, rate and time left of each stage. A stage without a note shows its rate."""
    begun: dict[str, float] = {}

    def rated(draw: Progress) -> Progress:
        def progress(stage: str, done: int, total: int, note: str) -> None:
            took = clock() - begun.setdefault(stage, clock())
            rate = done / took if took > 0.01 else 0.0  # no time has passed at the first call
            draw(stage, done, total, note or (f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s" if rate else ""))

        return progress

    if sys.stderr.isatty():
        with _bars() as bars:
            yield rated(_drawn(bars))
    else:
        yield rated(_lines(clock))


def _lines(clock: Callable[[], float]) -> Progress:
    last = clock()

    def line(stage: str, done: int, total: int, note: str) -> None:
        nonlocal last
        if clock() - last >= EVERY:
            last = clock()
            print_message(f"{stage}: {done:,}{f' of {total:,}' if total else ''}{note and f', {note}'}")

    return line


def _drawn(bars: Bars) -> Progress:
    tasks: dict[str, Any] = {}

    def draw(stage: str, done: int, total: int, note: str) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(_plain(stage), total=None, note="")
        bars.update(tasks[stage], completed=done, total=total or None, note=_plain(note))

    return draw


def _bars() -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns: list[Any] = [
        TextColumn("{task.description:<12}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    ]
    return Progress(*columns, console=Console(stderr=True))


def _plain(text: str) -> str:
    from ..text import printable

    return printable(text)
