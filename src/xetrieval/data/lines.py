"""JSON lines, plain or gzip, read one at a time; a bad line is a value, so that callers decide what it means."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from ..errors import InputError

MAX_LINE: Final = 4 << 20  # bytes; no text worth embedding is longer


class BadLine(NamedTuple):
    """A line that cannot be used, and why."""

    path: Path
    number: int  # from 1
    reason: str
    raw: bytes  # its first bytes, at most 1,000

    def error(self) -> InputError:
        """The refusal, with its place."""
        return InputError(f"{self.path}, line {self.number}: {self.reason}")


class Line(NamedTuple):
    """One JSON object of a file."""

    path: Path
    number: int
    record: dict[str, Any]

    def bad(self, reason: str) -> BadLine:
        """This line, refused."""
        return BadLine(self.path, self.number, reason, json.dumps(self.record)[:1000].encode())

    def text(self, field: str, required: bool = True) -> str | BadLine:
        """The text in `field`; "" where it is absent and not required."""
        value = self.record.get(field)
        if value is None and not required:
            return ""
        if value is None:
            return self.bad(f"field {field!r} is missing")
        if not isinstance(value, str):
            return self.bad(f"field {field!r} is not text but {type(value).__name__}")
        if required and not value.strip():
            return self.bad(f"field {field!r} is empty")
        if any(0xD800 <= ord(letter) <= 0xDFFF for letter in value):
            return self.bad(f"field {field!r} holds half a character (a lone surrogate)")
        return value


def read_json_lines(path: Path) -> Iterator[Line | BadLine]:
    """The objects of a JSON lines file; blank lines are passed over.

    Raises:
        InputError: no such file, an unreadable one, or one without any line.
    """
    if path.is_dir() or not path.exists():
        raise InputError(f"{path}: no such file")
    number = seen = 0
    try:
        with _open(path) as file:
            while raw := file.readline(MAX_LINE + 1):
                number += 1
                if len(raw) > MAX_LINE:
                    start = raw[:1000]
                    while raw and not raw.endswith(b"\n"):
                        raw = file.readline(MAX_LINE)
                    seen += 1
                    yield BadLine(path, number, f"longer than {MAX_LINE >> 20} MB; cut the text into passages", start)
                elif raw.strip():
                    seen += 1
                    yield _parse(path, number, raw)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read after line {number} ({error})") from error
    if not seen:
        raise InputError(f"{path}: the file is empty")


def read_tab_lines(path: Path, columns: int) -> Iterator[tuple[int, list[str]]]:
    """Line number and columns of a tab-separated file, plain or gzip.

    Raises:
        InputError: no such file, a line with fewer columns, or one that is not UTF-8.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with _open(path) as file:
        for number, raw in enumerate(file, 1):
            try:
                values = raw.decode("utf-8").rstrip("\r\n").split("\t")
            except UnicodeDecodeError as error:
                raise InputError(f"{path}, line {number}: not UTF-8 (byte {error.start + 1})") from error
            if len(values) < columns:
                raise InputError(f"{path}, line {number}: expected {columns} columns with tabs between")
            yield number, values


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _parse(path: Path, number: int, raw: bytes) -> Line | BadLine:
    try:
        record = json.loads(raw.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError as error:
        return BadLine(path, number, f"not UTF-8 (byte {error.start + 1})", raw[:1000])
    except (json.JSONDecodeError, RecursionError) as error:
        what = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
        return BadLine(path, number, f"not JSON ({what})", raw[:1000])
    if not isinstance(record, dict):
        return BadLine(path, number, f"not a JSON object but {type(record).__name__}", raw[:1000])
    return Line(path, number, record)
