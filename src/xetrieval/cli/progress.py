"""How far long work is: a bar in a terminal, elsewhere a line every ten seconds. Both on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from .console import say

if TYPE_CHECKING:
    from rich.progress import Progress

EVERY: Final = 10.0  # seconds between two lines


class Bars:
    """One bar, or one kind of line, for each stage of the work; used as a context."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._said = clock, clock()
        self._names: list[str] = []
        self._totals: list[int | None] = []
        self._bars: Progress | None = _bars() if sys.stderr.isatty() else None

    def __enter__(self) -> Bars:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def add_task(self, stage: str, total: int | None = None, note: str = "") -> int:
        """Begin a stage; its number."""
        self._names.append(stage)
        self._totals.append(total)
        if self._bars is not None:
            return int(self._bars.add_task(_plain(stage), total=total, note=_plain(note)))
        return len(self._names) - 1

    def update(self, stage: int, completed: int | None = None, total: int | None = None, note: str = "") -> None:
        """So far has a stage come."""
        if self._bars is not None:
            self._bars.update(stage, completed=completed, total=total, note=_plain(note))  # type: ignore[arg-type]
            return
        self._totals[stage] = self._totals[stage] if total is None else total
        now = self._clock()
        if now - self._said >= EVERY:
            self._said, whole = now, self._totals[stage]
            of = f" of {whole:,}" if whole else ""
            done = "" if completed is None else f"{completed:,}{of}"
            say(f"{self._names[stage]}: {', '.join(filter(None, (done, note)))}")


def progress_bar() -> Bars:
    """Counts, rate and time left of long work."""
    return Bars()


def show_bar(bar: Bars) -> Callable[[str, int, int, str], None]:
    """A report (stage, done, total, note) as one bar a stage."""
    stages: dict[str, int] = {}

    def report(stage: str, done: int, total: int, note: str) -> None:
        if stage not in stages:
            stages[stage] = bar.add_task(stage, total=total)
        bar.update(stages[stage], completed=done, total=total, note=note)

    return report


def _bars() -> Progress:
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
