"""All output of commands goes through here, so that no control character reaches a terminal.

`write` and `print_json` put data (JSON, a page) on standard output, `output_console` tables, and `print_message`
messages for people on standard error. All of it is UTF-8; if the console's declared encoding is more limited, bars are
in ASCII.
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

WIDTH: Final = 100  # columns if neither a terminal nor COLUMNS sets them


class _Closed(io.TextIOBase):
    """Standard output that was closed at the start: writing to it is an error, not a silent loss."""

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, "standard output is closed; connect it to a file or a terminal")


class _Discarded(io.TextIOBase):
    """Standard error that was closed at the start: messages are discarded."""

    def write(self, text: str) -> int:
        return len(text)


def use_utf8() -> None:
    """Make standard output and error accept every character, whatever encoding the system declares."""
    if sys.stdout is None:
        sys.stdout = _Closed()
    if sys.stderr is None:
        sys.stderr = _Discarded()
    for stream in (sys.stdout, sys.stderr):
        change = getattr(stream, "reconfigure", None)  # replacements in tests lack it
        if change is not None:
            change(encoding="utf-8", errors="backslashreplace")


def print_message(text: str) -> None:
    """One line on standard error."""
    from ..text import printable

    sys.stderr.write(f"{printable(text)}\n")


def write(text: str) -> None:
    """Write text unchanged to standard output; the caller has removed control characters."""
    sys.stdout.write(text)


def print_line(text: str) -> None:
    """One line on standard output."""
    from ..text import printable

    write(f"{printable(text)}\n")


def print_json(record: object) -> None:
    """A record on one line of standard output."""
    write(f"{as_json(record)}\n")


def as_json(record: object) -> str:
    """Standard JSON (no NaN), with control characters escaped."""
    try:
        text = json.dumps(record, ensure_ascii=False, allow_nan=False)
    except ValueError:  # NaN or infinity: null in JSON
        text = json.dumps(_finite(record), ensure_ascii=False)
    if text.isprintable():
        return text
    from .clean import harmless

    return "".join(one if harmless(one) else json.dumps(one)[1:-1] for one in text)


def output_console() -> Console:
    """Standard output for tables: as wide as the terminal or COLUMNS, else 100 columns."""
    from .clean import CleanConsole

    width_known = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return CleanConsole(None if width_known else WIDTH, ascii_bars=_takes_ascii_alone())


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
