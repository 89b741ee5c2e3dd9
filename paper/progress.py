"""Progress: a bar on a terminal, an occasional line in a log."""

from __future__ import annotations

import sys
import time
from typing import Any

from rich.console import Console

EVERY = 30.0  # seconds between lines of a log


class Bar:
    """Call `at(done, total)` as often as you like."""

    def __init__(self, title: str) -> None:
        self.title, self.printed, self.terminal = title, 0.0, sys.stderr.isatty()
        self.console = Console(stderr=True, highlight=False)

    def at(self, done: int, total: int, note: str = "") -> None:
        """Show the progress."""
        now, over = time.monotonic(), done >= total
        if now - self.printed < (0.2 if self.terminal else EVERY) and not (over and self.printed):
            return
        self.printed = 0.0 if over else now
        full = round(24 * done / max(1, total))
        line = f"  {self.title:<28} {'█' * full}{'·' * (24 - full)} {done:,} of {total:,} {note}"
        self.console.print(line, end="\r" if self.terminal and not over else "\n")

    def stage(self, stage: str, done: int, total: int, note: str) -> None:
        """Show the progress of a named stage."""
        self.title = stage
        self.at(done, total, note)

    def training(self, place: int, progress: Any) -> None:
        """Show the progress of a training; with several, only the first."""
        if place == 0:
            self.at(progress.step, progress.steps, f"FVU {progress.fvu:.3f}")
