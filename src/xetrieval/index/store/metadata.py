"""Turns metadata into facts that filters can find.

A nested field is named by its path, `src.site`; each element of a list is a fact of its own. Kinds of facts:

bool     true, false
number   whole and decimal numbers; integers beyond 64 bits are stored as `big`, in digits
text at most 256 characters; longer strings are `long`, stored as a hash
date a string that is an ISO 8601 date or time, as whole microseconds since 1970 (UTC where no zone is given)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple

LONGEST_VALUE: Final = 256  # characters of a string that filters can search; longer ones are stored as a hash
ALIKE: Final = {"big": "number", "long": "text"}  # kinds that differ only in how they are stored
DAY: Final = 86_400_000_000_000  # nanoseconds
MICRO: Final = 1000  # nanoseconds in a microsecond
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ISO: Final = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.(\d{1,9}))?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII
)


class Fact(NamedTuple):
    """One value of one field."""

    name: str
    kind: str
    value: int | float | str
    listed: bool  # whether it is an element of a list


def facts(metadata: Mapping[str, Any]) -> Iterator[Fact]:
    """The facts in plain metadata."""
    for name, value in metadata.items():
        yield from _facts(str(name), value)


def _facts(name: str, value: Any, *, listed: bool = False) -> Iterator[Fact]:
    if isinstance(value, Mapping):
        for inner, one in value.items():
            yield from _facts(f"{name}.{inner}", one, listed=listed)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _facts(name, one, listed=True)
    elif isinstance(value, bool):
        yield Fact(name, "bool", int(value), listed)
    elif isinstance(value, int | float):
        yield Fact(name, "number", value, listed) if fits(value) else Fact(name, "big", str(value), listed)
    elif isinstance(value, str):
        yield Fact(name, *text_key(value), listed)
        when = moment(value)
        if when is not None:
            yield Fact(name, "date", when[0] // MICRO, listed)


def fits(number: int | float) -> bool:
    """Whether SQLite stores and compares a number exactly: a 64-bit integer, or a float."""
    return isinstance(number, float) or -(1 << 63) <= number < 1 << 63


def text_key(text: str) -> tuple[str, str]:
    """The kind and value under which a string is found."""
    if len(text) <= LONGEST_VALUE:
        return "text", text
    return "long", sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def moment(text: str) -> tuple[int, int] | None:
    """The nanoseconds since 1970 at which an ISO date or time begins and ends; None if it is neither."""
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:  # such as the 30th of February
        return None
    aware = read if read.tzinfo is not None else read.replace(tzinfo=UTC)
    since = aware - _EPOCH
    finer = int((found[1] or "")[6:].ljust(3, "0"))  # digits that datetime drops
    start = ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * MICRO + finer
    return start, start + (DAY if len(text) == len("2025-01-01") else 1)
