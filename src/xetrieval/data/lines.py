"""Lines of files, plain or gzip, read one at a time.

A reader of many lines yields a BadLine, so that later lines can still be read; a reader of one line raises it.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, TypeVar

from ..errors import DamagedError, InputError
from ..files import parse_json, path_of
from ..files.json_text import Nan
from ..files.paths import no_file, path_text

GZIP: Final = b"\x1f\x8b"
KINDS: Final = (  # first bytes of files that are not UTF-8 text, the kind of file, and what to do
    (GZIP, "compressed with gzip", "give it a name that ends in .gz"),
    (b"BZh", "compressed with bzip2", "unpack it"),
    (b"\xfd7zXZ\x00", "compressed with xz", "unpack it"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "unpack it"),
    (b"PK\x03\x04", "a zip file", "unpack it"),
    (b"PAR1", "a Parquet file", "give it a name that ends in .parquet"),
    (b"\xff\xfe", "UTF-16 or UTF-32, not UTF-8", "save it as UTF-8"),
    (b"\xfe\xff", "UTF-16, not UTF-8", "save it as UTF-8"),
)
MAX_LINE: Final = 4 << 20  # bytes; no text worth embedding is longer


class BadLine(InputError):  # noqa: N818  # readers yield it as a value
    """A line that cannot be used, and why.

    Args:
        number: from 1; 0 is the file as a whole.
        raw: the line; its first 1,000 bytes are kept.
        unit: "line", or "row" in a Parquet file.
    """

    def __init__(self, path: Path, number: int, reason: str, raw: bytes = b"", unit: str = "line") -> None:
        place = f", {unit} {number}" if number else ""
        super().__init__(f"{path_text(path)}{place}: {reason}")
        self.path, self.number, self.reason, self.raw, self.unit = path, number, reason, raw[:1000], unit

    def __reduce__(self) -> tuple[type[BadLine], tuple[object, ...]]:  # a corpus may be read in another process
        return BadLine, (self.path, self.number, self.reason, self.raw, self.unit)


class Line(NamedTuple):
    """One JSON object or row of a file; its reader has already refused lone surrogates."""

    path: Path
    number: int
    record: dict[str, Any]
    unit: str = "line"

    def bad(self, reason: str) -> BadLine:
        """A BadLine for this line."""
        raw = json.dumps(self.record, default=str)[:1000].encode()
        return BadLine(self.path, self.number, reason, raw, self.unit)

    def text(self, field: str, *, required: bool = True) -> str:
        """The text in `field`; "" if it is absent and not required.

        Raises:
            BadLine: it is not text, or is required and missing or empty.
        """
        value = self.record.get(field)
        if value is None and not required:
            return ""
        if value is None:
            raise self.bad(f"field {field!r} is missing")
        if not isinstance(value, str):
            raise self.bad(f"field {field!r} is not text but {type(value).__name__}")
        if required and not value.strip():
            raise self.bad(f"field {field!r} is empty")
        return value

    def identifier(self, value: object, reason: str) -> str:
        """An id as text; integers are allowed.

        Raises:
            BadLine: `value` is something else; the message is `reason`.
        """
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise self.bad(reason)
        return str(value)


L = TypeVar("L")
T = TypeVar("T")


def each(lines: Iterable[L | BadLine], read: Callable[[L], T]) -> Iterator[T | BadLine]:
    """The result of `read` for every line; a line that it refuses becomes a BadLine."""
    for line in lines:
        try:
            value = line if isinstance(line, BadLine) else read(line)
        except BadLine as bad:
            value = bad
        yield value


def read_json_lines(path: Path, nan: Nan = "refuse") -> Iterator[Line | BadLine]:
    """The objects of a JSON lines file; blank lines are skipped.

    Args:
        nan: what to do with NaN and Infinity, which are not JSON: "refuse" them, or read them as "null".
    """
    lines = byte_lines(path)
    first = next(lines, None)
    if first is None:
        raise InputError(f"{path_text(path)}: the file is empty")
    if not isinstance(first, BadLine):
        _check_form(first)
    yield from each(chain([first], lines), partial(_parse, nan=nan))


def read_tab_lines(path: Path, columns: int) -> Iterator[tuple[int, list[str]]]:
    """Line number and columns of a tab-separated file, plain or gzip; blank lines are skipped."""
    for line in byte_lines(path):
        if isinstance(line, BadLine):
            raise line
        values = line.text.rstrip("\r\n").split("\t")
        if len(values) < columns:
            raise InputError(f"{path_text(path)}, line {line.number}: expected {columns} columns separated by tabs")
        yield line.number, values


class RawLine(NamedTuple):
    """One line with its line ending, as bytes."""

    path: Path
    number: int
    raw: bytes

    @property
    def text(self) -> str:
        """The text of the line, without the byte-order mark of a first line.

        Raises:
            BadLine: it is not UTF-8.
        """
        try:
            return self.raw.decode("utf-8-sig" if self.number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            reason = f"not UTF-8 (byte {error.start + 1} of the line)"
            raise BadLine(self.path, self.number, reason, self.raw) from error


def byte_lines(path: Path, *, blank: bool = False) -> Iterator[RawLine | BadLine]:
    """The lines of a file, plain or gzip; one that is too long is a bad line and is not read into memory.

    Args:
        blank: whether to yield blank lines too.
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


def check_file(path: Path) -> None:
    """Refuse a file that cannot be read, or that can be read only once."""
    if not path.exists() or path.is_dir():
        raise no_file(path)
    if not path.is_file():
        raise InputError(f"{path_text(path)}: a pipe or a device can be read only once; give a file")


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading, as gzip if its extension says so; disk and gzip errors are raised as ours."""
    path = path_of(path)
    check_file(path)
    packed = path.suffix.lower() == ".gz"
    try:
        with path.open("rb") as file:
            start = file.peek(6)[:6]
            if not (packed and start.startswith(GZIP)) and (other := other_kind(start)):
                raise InputError(f"{path_text(path)}: {other}")
            if packed and start and not start.startswith(GZIP):
                raise InputError(f"{path_text(path)}: not compressed with gzip; remove .gz from its name")
            content = gzip.GzipFile(fileobj=file) if packed else file
            if packed and (other := other_kind(content.peek(6)[:6])):
                raise InputError(f"{path_text(path)}: decompressed, {other}")
            yield content  # type: ignore[misc]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DamagedError(f"{path_text(path)}: a damaged gzip file ({error}); download or create it again") from error
    except OSError as error:
        raise InputError(f"{path_text(path)}: cannot be read ({error.strerror or error})") from error


def other_kind(start: bytes) -> str:
    """What a file that starts with these bytes is, and what to do, if it is compressed or not UTF-8; otherwise ""."""
    for magic, kind, remedy in KINDS:
        if start.startswith(magic):
            return f"the file is {kind}; {remedy}"
    return "the file has NUL bytes, as UTF-16 does; save it as UTF-8" if b"\0" in start else ""


def _check_form(first: RawLine) -> None:
    """Refuse JSON that is not one object per line, judging by its first line."""
    start = first.raw.removeprefix(b"\xef\xbb\xbf").strip()
    if start[:1] == b"[" or start == b"{":
        what = "a JSON array" if start[:1] == b"[" else "one JSON object over several lines"
        raise InputError(f"{path_text(first.path)}: {what}, not JSON lines; write one object per line")


def _parse(line: RawLine, nan: Nan) -> Line:
    try:
        record = parse_json(line.raw, nan)
    except InputError as error:
        raise BadLine(line.path, line.number, str(error), line.raw) from error
    if not isinstance(record, dict):
        raise BadLine(line.path, line.number, f"not a JSON object but {type(record).__name__}", line.raw)
    return Line(line.path, line.number, record)
