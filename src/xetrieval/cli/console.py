"""What reaches a terminal: the output of every command goes through here, and no control character passes.

Data (JSON, a page) goes to standard output by `give` and `give_json`, tables by `output_console`, words to a person on
standard error by `say`. All of it is UTF-8; a console that was declared to take less gets its bars in ASCII.
"""

from __future__ import annotations

import codecs
import errno
import io
import json
import locale
import math
import os
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console

WIDTH: Final = 100  # columns where neither a terminal nor COLUMNS says how many


class _Closed(io.TextIOBase):
    """Standard output that was closed before we began: what is written to it is not lost in silence."""

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, "standard output is closed; give it a file or a terminal")


class _Unheard(io.TextIOBase):
    """Standard error that was closed before we began: nobody wants to be told."""

    def write(self, text: str) -> int:
        return len(text)


def use_utf8() -> None:
    """Standard output and error take every character, whatever the system says that they can."""
    if sys.stdout is None:
        sys.stdout = _Closed()
    if sys.stderr is None:
        sys.stderr = _Unheard()
    for stream in (sys.stdout, sys.stderr):
        change = getattr(stream, "reconfigure", None)  # what stands in for them in a test has none
        if change is not None:
            change(encoding="utf-8", errors="backslashreplace")


def say(text: str) -> None:
    """One line on standard error."""
    from ..text import printable

    sys.stderr.write(f"{printable(text)}\n")


def give(text: str) -> None:
    """Text as it is on standard output: made by us, of what was made harmless before."""
    sys.stdout.write(text)


def give_line(text: str) -> None:
    """One line on standard output."""
    from ..text import printable

    give(f"{printable(text)}\n")


def give_json(record: Any) -> None:
    """A record on one line of standard output."""
    give(f"{as_json(record)}\n")


def as_json(record: Any) -> str:
    """JSON that every reader takes (no NaN) and no terminal obeys: control characters stand as escapes."""
    try:
        text = json.dumps(record, ensure_ascii=False, allow_nan=False)
    except ValueError:  # a number that is none; JSON has null for it
        text = json.dumps(_finite(record), ensure_ascii=False)
    if text.isprintable():
        return text
    from .clean import harmless

    return "".join(letter if harmless(letter) else json.dumps(letter)[1:-1] for letter in text)


def output_console() -> Console:
    """Standard output for tables: as wide as the terminal or COLUMNS says, else 100."""
    from .clean import CleanConsole

    told = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return CleanConsole(None if told else WIDTH, ascii_bars=_takes_ascii_alone())


def _takes_ascii_alone() -> bool:
    if os.name == "nt" and sys.stdout.isatty():
        return False  # Python writes to a Windows console in UTF-16, whatever its code page
    declared = os.environ.get("PYTHONIOENCODING", "").partition(":")[0]
    declared = declared or ("utf-8" if sys.flags.utf8_mode else locale.getencoding())
    try:
        return not codecs.lookup(declared).name.startswith("utf")
    except LookupError:
        return True


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
