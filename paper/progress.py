"""Progress: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from typing import Any

from rich.console import Console

EVERY = 30.0  # seconds between lines of a log


class Bar:
    """`at(done, total)` may be called as often as one likes."""

    def __init__(self, title: str) -> None:
        self.title, self.said, self.terminal = title, 0.0, sys.stderr.isatty()
        self.console = Console(stderr=True, highlight=False)

    def at(self, done: int, total: int, note: str = "") -> None:
        """Say how far it is."""
        now, over = time.monotonic(), done >= total
        if now - self.said < (0.2 if self.terminal else EVERY) and not (over and self.said):
            return
        self.said = 0.0 if over else now
        full = round(24 * done / max(1, total))
        line = f"  {self.title:<28} {'█' * full}{'·' * (24 - full)} {done:,} of {total:,} {note}"
        self.console.print(line, end="\r" if self.terminal and not over else "\n")

    def stage(self, stage: str, done: int, total: int, note: str) -> None:
        """The same for reports that name their stage."""
        self.title = stage
        self.at(done, total, note)

    def training(self, place: int, progress: Any) -> None:
        """The same for trainings; of several the first speaks."""
        if place == 0:
            self.at(progress.step, progress.steps, f"FVU {progress.fvu:.3f}")
