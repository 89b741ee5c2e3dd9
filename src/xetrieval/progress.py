"""How long-running work reports progress: by calling a function, which the command line draws as a bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[str, int, int, str], None]  # stage, done, total (0 while unknown), note


def advanced(progress: Progress, stage: str, total: int, before: int, done: int) -> None:
    """Report progress on one part of a stage; the earlier parts added up to `before`."""
    progress(stage, before + done, total, "")


def silent(stage: str, done: int, total: int, note: str) -> None:
    """A progress function that does nothing."""
