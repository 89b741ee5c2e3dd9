"""Progress: a bar on a terminal, an occasional line in a log."""

from __future__ import annotations

import sys
import time

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
        """Show the progress of one stage of the work, as a `xetrieval.progress.Progress`."""
        self.at(done, total, f"{stage} {note}")
