"""Lines of files, plain or gzip, read one at a time; a bad line is a value, so that callers decide what it means."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from ..errors import DamagedError, InputError
from ..files import parse_json, path_of
from ..files.json_text import Nan

KINDS: Final = (  # first bytes of files that are not UTF-8 text, what they are, and what to do
    (b"\x1f\x8b", "packed with gzip", "give it a name that ends in .gz"),
    (b"BZh", "packed with bzip2", "unpack it"),
    (b"\xfd7zXZ\x00", "packed with xz", "unpack it"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd", "unpack it"),
    (b"PK\x03\x04", "a zip file", "unpack it"),
    (b"PAR1", "a Parquet file", "give it a name that ends in .parquet"),
    (b"\xff\xfe", "UTF-16 or UTF-32, not UTF-8", "save it as UTF-8"),
    (b"\xfe\xff", "UTF-16, not UTF-8", "save it as UTF-8"),
)
MAX_LINE: Final = 4 << 20  # bytes; no text worth embedding is longer


class BadLine(NamedTuple):
    """A line that cannot be used, and why."""

    path: Path
    number: int  # from 1; 0 is the file as a whole
    reason: str
    raw: bytes = b""  # its first bytes, at most 1,000
    unit: str = "line"  # a Parquet file has rows

    def error(self) -> InputError:
        """The refusal, with its place."""
        place = f", {self.unit} {self.number}" if self.number else ""
        return InputError(f"{shown(self.path)}{place}: {self.reason}")


class Line(NamedTuple):
    """One JSON object or row of a file; its reader has refused half characters (lone surrogates) already."""

    path: Path
    number: int
    record: dict[str, Any]
    unit: str = "line"

    def bad(self, reason: str) -> BadLine:
        """This line, refused."""
        raw = json.dumps(self.record, default=str)[:1000].encode()
        return BadLine(self.path, self.number, reason, raw, self.unit)

    def text(self, field: str, *, required: bool = True) -> str | BadLine:
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
        return value


def read_json_lines(path: Path, nan: Nan = "refuse") -> Iterator[Line | BadLine]:
    """The objects of a JSON lines file; blank lines are skipped.

    Args:
        nan: what to do with NaN and Infinity, which are not JSON: "refuse" them, or read them as "null".
    Raises:
        InputError: no such file, an unreadable one, a JSON array, or a file without any line.
        DamagedError: a gzip file that is cut short or altered.
    """
    seen = 0
    for line in byte_lines(path):
        seen += 1
        if isinstance(line, BadLine):
            yield line
        else:
            yield _parse(path, line.number, line.raw, nan, first=seen == 1)
    if not seen:
        raise InputError(f"{shown(path)}: the file is empty")


def read_tab_lines(path: Path, columns: int) -> Iterator[tuple[int, list[str]]]:
    """Line number and columns of a tab-separated file, plain or gzip; blank lines are skipped.

    Raises:
        InputError: no such file, a line with fewer columns, or one that is not UTF-8. DamagedError: a damaged gzip.
    """
    for line in byte_lines(path):
        text = line if isinstance(line, BadLine) else decoded(line)
        if isinstance(text, BadLine):
            raise text.error()
        values = text.rstrip("\r\n").split("\t")
        if len(values) < columns:
            raise InputError(f"{shown(path)}, line {line.number}: expected {columns} columns separated by tabs")
        yield line.number, values


class RawLine(NamedTuple):
    """One line with its end, as bytes."""

    path: Path
    number: int
    raw: bytes


def byte_lines(path: Path, *, blank: bool = False) -> Iterator[RawLine | BadLine]:
    """The lines of a file, plain or gzip; one that is too long is a bad line and is never read into memory.

    Args:
        blank: whether to yield blank lines too.
    Raises:
        InputError: no such file, or an unreadable one. DamagedError: a gzip file that is cut short or altered.
    """
    with opened(path) as file:
        number = 0
        while raw := file.readline(MAX_LINE + 1):
            number += 1
            if len(raw) > MAX_LINE:
                start = raw[:1000]
                while raw and not raw.endswith(b"\n"):
                    raw = file.readline(MAX_LINE)
                yield BadLine(path, number, f"longer than {MAX_LINE >> 20} MB; cut the text into passages", start)
            elif blank or raw.strip():
                yield RawLine(path, number, raw)


def decoded(line: RawLine) -> str | BadLine:
    """The text of a line; a byte-order mark before the first is not part of it."""
    try:
        return line.raw.decode("utf-8-sig" if line.number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        reason = f"not UTF-8 (byte {error.start + 1} of the line)"
        return BadLine(line.path, line.number, reason, line.raw[:1000])


def check_file(path: Path) -> None:
    """Refuse what cannot be read twice, or at all.

    Raises:
        InputError: no such file, a folder, a pipe or a device.
    """
    if not path_of(path).exists() or path.is_dir():
        raise InputError(f"{shown(path)}: no such file")
    if not path.is_file():
        raise InputError(f"{shown(path)}: a pipe or a device can be read only once; give a file")


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A file, plain or gzip by its ending, to read; errors of the disk and of gzip are raised as ours.

    Raises:
        InputError: no such file, or an unreadable one. DamagedError: a gzip file that is cut short or altered.
    """
    check_file(path)
    packed = path.suffix.lower() == ".gz"
    try:
        with gzip.open(path, "rb") if packed else path.open("rb") as file:
            if not packed:
                _check_kind(path, file.peek(6)[:6])
            yield file  # type: ignore[misc]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DamagedError(f"{shown(path)}: a damaged gzip file ({error}); fetch or make it again") from error
    except OSError as error:
        raise InputError(f"{shown(path)}: cannot be read ({error.strerror or error})") from error


def _check_kind(path: Path, start: bytes) -> None:
    """Refuse a file that is packed, or in another encoding as a whole, for that reason and not for its first line."""
    for magic, kind, remedy in KINDS:
        if start.startswith(magic):
            raise InputError(f"{shown(path)}: the file is {kind}; {remedy}")


def shown(path: Path) -> str:
    """A path as it can be printed and stored: bytes that are not UTF-8 are written as \\xNN."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _parse(path: Path, number: int, raw: bytes, nan: Nan, *, first: bool) -> Line | BadLine:
    try:
        record = parse_json(raw, nan)
    except InputError as error:
        start = raw.removeprefix(b"\xef\xbb\xbf").strip()
        if first and (start[:1] == b"[" or start == b"{"):
            what = "a JSON array" if start[:1] == b"[" else "one JSON object over several lines"
            raise InputError(f"{shown(path)}: {what}, not JSON lines; write one object a line") from error
        return BadLine(path, number, str(error), raw[:1000])
    if isinstance(record, list) and first:
        raise InputError(f"{shown(path)}: a JSON array, not JSON lines; write one object a line")
    if not isinstance(record, dict):
        return BadLine(path, number, f"not a JSON object but {type(record).__name__}", raw[:1000])
    return Line(path, number, record)
