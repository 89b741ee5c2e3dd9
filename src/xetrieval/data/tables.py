"""Corpora as tables: CSV, TSV without quoting, Parquet. Columns other than id, title and text are metadata."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias

from ..errors import InputError
from ..extras import require
from ..files.paths import path_text
from .corpus import Document, document_of
from .lines import MAX_LINE, BadLine, Line, byte_lines, check_file, each
from .values import plain

PARQUET_ROWS: Final = 1024
KEYS: Final = ("_id", "id", "title", "text")
Row: TypeAlias = tuple[int, list[str]]  # line number and values
SECONDS: Final = re.compile(r"(.*?:\d\d:\d\d)(?:\.(\d{6}))?(.*)")


def read_csv(path: Path) -> Iterator[Document | BadLine]:
    """The rows of a .csv (commas, fields quoted where needed) or .tsv file (tabs; a quotation mark is text)."""
    tabs = path.name.lower().removesuffix(".gz").endswith(".tsv")
    rows = _tab_rows(path) if tabs else _comma_rows(path)
    header = next(rows, None)
    if header is None:
        raise InputError(f"{path_text(path)}: the file is empty")
    if isinstance(header, BadLine):
        raise header
    columns = _check_header(path, header[1], tabs=tabs)

    def read(row: Row) -> Document:
        number, values = row
        if len(values) != len(columns):
            raw = ("\t" if tabs else ",").join(values).encode("utf-8", "replace")
            raise BadLine(path, number, f"expected {len(columns)} columns, found {len(values)}", raw)
        return document_of(Line(path, number, dict(zip(columns, values, strict=True))))

    yield from each(rows, read)


def _tab_rows(path: Path) -> Iterator[Row | BadLine]:
    return each(byte_lines(path), lambda line: (line.number, line.text.rstrip("\r\n").split("\t")))


def _comma_rows(path: Path) -> Iterator[Row | BadLine]:
    """Rows, whose quoted fields may contain line breaks, with the number of their first line."""
    csv.field_size_limit(MAX_LINE)
    lines = _Text(path)
    rows = csv.reader(lines, strict=True)
    first = 1
    try:
        for row in rows:
            number, first = first, rows.line_num + 1
            bad = lines.bad(number, rows.line_num)
            if "".join(row).strip():  # spreadsheets save blank rows as commas
                yield (number, row) if bad is None else bad
    except csv.Error as error:
        raise InputError(f"{path_text(path)}, line {first}: not CSV ({_reason(error)})") from error


def _reason(error: csv.Error) -> str:
    message = str(error)
    if "unexpected end" in message or "field limit" in message:
        return "a quotation mark that is never closed"
    return "a carriage return within the line" if "new-line" in message else message


class _Text:
    """The lines of a file as text; bytes that are not UTF-8 are replaced, and the lines are recorded."""

    def __init__(self, path: Path) -> None:
        self.path, self.lines = path, byte_lines(path, blank=True)
        self.faults: dict[int, BadLine] = {}

    def __iter__(self) -> Iterator[str]:
        for line in self.lines:
            if isinstance(line, BadLine):
                raise line
            try:
                text = line.text
            except BadLine as bad:
                self.faults[line.number] = bad
                text = line.raw.decode("utf-8", "replace")
            yield text

    def bad(self, first: int, last: int) -> BadLine | None:
        """The first error recorded in some lines; clears them."""
        found = [self.faults.pop(number) for number in sorted(self.faults) if first <= number <= last]
        return found[0] if found else None


def read_parquet(path: Path) -> Iterator[Document | BadLine]:
    """The rows of a Parquet file. Times become text in ISO form, NaN becomes null.

    Raises:
        InputError: no such file, an incomplete file, or columns that are missing or of the wrong kind.
        MissingExtra: pyarrow is not installed.
    """
    check_file(path)
    arrow, parquet = require("pyarrow", "data"), require("pyarrow.parquet", "data")
    number = 0

    def read(row: tuple[dict[str, Any], str]) -> Document:
        nonlocal number
        number += 1
        values, fault = row
        if fault:
            raise BadLine(path, number, fault, unit="row")
        return document_of(Line(path, number, {name: plain(value) for name, value in values.items()}, "row"))

    try:
        with parquet.ParquetFile(path) as file:
            _check_schema(path, arrow, file.schema_arrow)
            for batch in file.iter_batches(PARQUET_ROWS):
                yield from each(_rows(_as_text(arrow, batch)), read)
    except (arrow.ArrowException, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"{path_text(path)}: not a complete Parquet file ({reason})") from error
    except (ValueError, OverflowError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path_text(path)}, after row {number}: a value that cannot be read ({error})") from error


def _rows(batch: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """The rows of a batch, each with "" or why Python cannot represent it (text not UTF-8, a date out of range)."""
    try:
        yield from ((row, "") for row in batch.to_pylist())
        return
    except (ValueError, OverflowError):  # the error does not say which row
        pass
    for place in range(batch.num_rows):
        try:
            yield batch.slice(place, 1).to_pylist()[0], ""
        except UnicodeDecodeError as error:
            yield {}, f"a text is not UTF-8 (byte {error.start + 1})"
        except (ValueError, OverflowError) as error:
            yield {}, _why(error)


def _why(error: Exception) -> str:
    """Why a value cannot be read, for errors whose own words advise something else."""
    if "anosecond" in str(error):
        return "times in nanoseconds within a list or a record; convert them to microseconds or text"
    return (
        "a date outside of the years 1 to 9999"
        if "out of range" in str(error)
        else f"a value that cannot be read ({error})"
    )


def _check_zones(where: str, arrow: Any, kind: Any) -> None:
    """Refuse a time zone that is not known here, also within lists and records."""
    if zone := getattr(kind, "tz", None):
        try:
            arrow.array([0], arrow.timestamp("s", zone)).to_pylist()
        except (ValueError, KeyError, OSError) as error:
            raise InputError(
                f"{where} has times of the zone {zone[:60]!r}, which is unknown here; convert them to UTC, or install "
                "tzdata"
            ) from error
    for place in range(kind.num_fields):
        _check_zones(where, arrow, kind.field(place).type)


def _check_schema(path: Path, arrow: Any, schema: Any) -> None:
    columns = _check_columns(path, schema.names)
    types = arrow.types
    for name in columns:
        kind = schema.field(name).type
        kind, where = kind.value_type if types.is_dictionary(kind) else kind, f"{path_text(path)}: column {name}"
        text = types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view" or types.is_null(kind)
        if name in KEYS and not (text or (name in ("_id", "id") and types.is_integer(kind))):
            raise InputError(f"{where} is of type {kind}, not text; convert it")
        _check_zones(where, arrow, kind)
        if "binary" in str(kind):
            raise InputError(f"{where} is of type {kind}, which cannot be metadata; leave it out")


def _as_text(arrow: Any, batch: Any) -> Any:
    """Times in nanoseconds, which Python cannot represent, as text; short floats as written: 0.1, not 0.100000001."""
    types = arrow.types
    for place, field in enumerate(batch.schema):
        kind = field.type
        if types.is_float16(kind) or types.is_float32(kind):
            numbers = [plain(number) for number in batch.column(place).to_numpy(zero_copy_only=False)]
            batch = batch.set_column(place, field.name, arrow.array(numbers, arrow.float64()))
        if getattr(kind, "unit", "") != "ns":
            continue
        if types.is_timestamp(kind):
            made = arrow.timestamp("us", kind.tz)
        else:
            made = arrow.time64("us") if types.is_time(kind) else arrow.duration("us")
        counts = batch.column(place).cast(arrow.int64()).to_pylist()
        times = arrow.array([None if n is None else n // 1000 for n in counts], made).to_pylist()
        texts = [None if n is None else _iso(time, n % 1000) for n, time in zip(counts, times, strict=True)]
        batch = batch.set_column(place, field.name, arrow.array(texts, arrow.string()))
    return batch


def _iso(value: datetime | time | timedelta, nanoseconds: int) -> str:
    """A time in ISO form, with nine digits of fractional seconds or none."""
    text = str(value) if isinstance(value, timedelta) else value.isoformat()
    if not nanoseconds:
        return text
    whole, digits, zone = SECONDS.fullmatch(text).groups()  # type: ignore[union-attr]  # all three have this form
    return f"{whole}.{digits or '000000'}{nanoseconds:03d}{zone}"


def _check_header(path: Path, names: Sequence[str], *, tabs: bool) -> list[str]:
    for letter, word in ((";", "semicolons"), ("\t", "tabs"), (",", "commas")):
        if len(names) == 1 and letter in names[0]:
            raise InputError(
                f"{path_text(path)}: no column named text: the columns are separated by {word}; "
                + ("name it .csv" if tabs else "save it with commas" + (", or name it .tsv" if letter == "\t" else ""))
            )
    return _check_columns(path, names)


def _check_columns(path: Path, names: Sequence[str]) -> list[str]:
    duplicates = [name for place, name in enumerate(names) if name in names[:place]]
    if duplicates:
        raise InputError(f"{path_text(path)}: duplicate column {duplicates[0][:100]!r}; rename or remove one")
    if not {"_id", "id"} & set(names) or not {"text", "title"} & set(names):
        blank = any(name.strip() != name for name in names)
        listed = ", ".join(repr(name[:60]) if blank else name[:60] for name in names[:20])
        remedy = "; remove the spaces around names" if blank else ""
        raise InputError(f"{path_text(path)}: expected columns _id (or id) and text, found {listed}{remedy}")
    return list(names)
