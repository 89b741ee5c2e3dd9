"""Filters on metadata, the same for the command line, HTTP and Python.

As text: FIELD OPERATOR VALUE. A document must satisfy all conditions; of several `=` on the same field, one is enough:

    ok=true   year=2020   year>=2020   date<2025-01-01   src.site=en   tags~slow   site!=cs   name="=x"

Spaces on both sides of an operator are dropped (`site = cs`); after `site=` they belong to the value. A value in
quotation marks is a JSON string: it may begin with an operator or be empty, and is never a number or a boolean.

As JSON: a list of such strings, or fields with JSON values: {"year": [2019, 2020], "ok": true,
"price": {">=": 2, "<": 3}}. A textual filter does not say what type its value has: `year=2020` finds both the number
and the string. In JSON, 2020 is a number and "2020" a string. Numbers are never compared with strings. A date is a
string in ISO format; without a time it means the whole day.

=        the value, or one of the elements of a list
!= everything that = does not match, including documents without the field or with null
< <= > >= numbers and dates
~ a list with that element, or a string that contains the value
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.values import plain
from ...errors import InputError
from ...files import is_whole, parse_json
from .metadata import MICRO, fits, moment, text_key
from .texts import Texts

Filters = Mapping[str, Any] | Sequence[str]
Kinds = Mapping[str, frozenset[tuple[str, bool]]]  # field -> kinds of its values, and whether a list contains them

MOST_CONDITIONS: Final = 50
MOST_VALUES: Final = 1000  # largest number of values in one condition
LONGEST: Final = 10_000  # characters of a field's name or a value
LARGEST: Final = 1024  # largest integer, in bits
SHOWN_FIELDS: Final = 20
EXAMPLE: Final = "write FIELD=VALUE, e.g. site=cs, 'year>=2020', 'tags~slow'"
QUOTE: Final = 'put a value that begins with an operator in quotation marks: name="=x"'
EMPTY: Final = '""'  # an empty string in a message
DATES: Final = "2024-01-31, 2024-01-31T10:00, 2024-01-31 10:00:00.5+01:00"
BY_JSON: Final = "; write a name with = < > or ~ as JSON, over HTTP or in Python: {NAME: VALUE}"
FAR: Final = (1 << 62) * MICRO  # nanoseconds; later than any date
ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
ORDERED: Final = frozenset({"number", "date"})  # kinds of values that have an order
OPERATORS: Final = ("=", "!=", *ORDER, "~")
WORDS: Final = {"bool": "true or false", "number": "numbers", "text": "text", "date": "dates"}
_CONDITION: Final = re.compile(r"(.+?)(!=|<=|>=|=|<|>|~)(.*)", re.DOTALL)
# 007 is only a string
_NUMBER: Final = re.compile(r"[+-]?(?:0|[1-9]\d*|(?=\.\d))(?:\.\d*)?(?:[eE][+-]?\d+)?", re.ASCII)


class Operand(NamedTuple):
    """The value of a condition, as every type that it could be."""

    shown: str
    text: str | None = None
    number: int | float | None = None
    truth: bool | None = None
    when: tuple[int, int] | None = None  # see `moment`

    @property
    def kinds(self) -> set[str]:
        """Kinds of values that the operand may equal."""
        means = {"text": self.text, "number": self.number, "bool": self.truth, "date": self.when}
        return {kind for kind, meaning in means.items() if meaning is not None}


class Condition(NamedTuple):
    """One condition: a document must have one of the values, or with != none of them."""

    field: str
    operator: str
    values: tuple[Operand, ...]

    def __str__(self) -> str:
        return f"{self.field}{self.operator}{'|'.join(value.shown for value in self.values[:3])}"


# ---------------------------------------------------------------------- reading


def parse_filters(filters: Filters | None) -> tuple[Condition, ...]:
    """The conditions that filters stand for.

    Raises:
        InputError: a filter that cannot be read, or too many of them.
    """
    if filters is None:
        return ()
    if isinstance(filters, Mapping):
        found = [one for name, value in filters.items() for one in _of_json(name, value)]
    elif isinstance(filters, str | bytes) or not isinstance(filters, Sequence):
        raise InputError(f"filters {_shown(filters)}: give a list of conditions, or fields with values; {EXAMPLE}")
    else:
        found = _either([_of_text(text) for text in filters])
    if len(found) > MOST_CONDITIONS:
        raise InputError(f"{len(found)} filters; give at most {MOST_CONDITIONS}")
    return tuple(found)


def _of_text(text: Any) -> Condition:
    read = _CONDITION.fullmatch(text) if isinstance(text, str) and len(text) <= 2 * LONGEST else None
    if read is None or not read[1].strip():
        raise InputError(f"filter {_shown(text)}: not a condition; {EXAMPLE}")
    field, sign, value = read[1].strip(), read[2], read[3]
    if read[1] != read[1].rstrip():  # spaces belong to the operator in `site = cs`, to the value in `site= cs`
        value = value.strip()
    if value[:1] == value[-1:] == '"' and len(value) > 1:
        return _checked(Condition(field, sign, (_quoted(text, field, value),)))
    if value.strip()[:1] in ("=", "<", ">", "~") or (not value.strip() and sign not in ("=", "!=")):
        raise InputError(f"filter {_shown(text)}: no value after {sign}; {EXAMPLE}; {QUOTE}")
    return _checked(Condition(field, sign, (_untyped(value),)))


def _quoted(text: str, field: str, value: str) -> Operand:
    try:
        return _typed(field, parse_json(value))
    except InputError as error:
        raise InputError(
            f'filter {_shown(text)}: a value in quotation marks is a JSON string; write \\" for a quotation mark and '
            "\\\\ for a backslash"
        ) from error


def _untyped(text: str) -> Operand:
    inner = text.strip()  # spaces around a number, a date or a boolean are ignored
    truth = {"true": True, "false": False}.get(inner.lower())
    return Operand(text, text, _number(inner), truth, moment(inner))


def _number(text: str) -> int | float | None:
    if not _NUMBER.fullmatch(text) or len(text) > 400:
        return None
    try:
        return int(text)
    except ValueError:
        number = float(text)
        return number if math.isfinite(number) else None


def _either(conditions: Iterable[Condition]) -> list[Condition]:
    """Join several `=` on one field: they mean any of the values."""
    out: dict[Any, Condition] = {}
    for place, one in enumerate(conditions):
        key = (one.field, "=") if one.operator == "=" else place
        known = out.get(key)
        out[key] = one if known is None else _checked(known._replace(values=known.values + one.values))
    return list(out.values())


def _of_json(field: Any, condition: Any) -> list[Condition]:
    if not isinstance(field, str) or not field:
        raise InputError(f"filter on {_shown(field)}: field names must be non-empty strings")
    if not isinstance(condition, Mapping):
        return [_checked(Condition(field, "=", _typed_values(field, condition)))]
    if not condition:
        raise InputError(f'filter {field!r}: give a value, or an operator with one, e.g. {{">=": 2020}}')
    out = []
    for sign, value in condition.items():
        if sign not in OPERATORS:
            nested = f"choose from {' '.join(OPERATORS)}, or write a nested field as FIELD.INNER"
            raise InputError(f"filter {field!r}: {_shown(sign)} is not an operator; {nested}")
        out.append(_checked(Condition(field, sign, _typed_values(field, value))))
    return out


def _typed_values(field: str, value: Any) -> tuple[Operand, ...]:
    values = value if isinstance(value, list | tuple | set | frozenset | np.ndarray) else [value]
    if len(values) == 0:
        raise InputError(f"filter {field!r}: an empty list; give at least one value")
    return tuple(_typed(field, one) for one in values)


def _typed(field: str, raw: Any) -> Operand:
    value = None if isinstance(raw, bytes | bytearray) else plain(raw)
    if isinstance(value, int) and value.bit_length() > LARGEST:
        raise InputError(f"filter {field[:40]!r}: a whole number of more than {LARGEST:,} bits")
    shown = _shown(value)
    if isinstance(value, bool):
        return Operand(shown, truth=value)
    if isinstance(value, int | float):
        return Operand(shown, number=value)
    if isinstance(value, str):
        return Operand(shown, text=value, when=moment(value))
    shown = f"{raw}" if isinstance(raw, float) else _shown(raw)
    raise InputError(f"filter {field!r}: {shown} is neither text, number, date, true nor false")


def _checked(one: Condition) -> Condition:
    if any(not is_whole(text) for text in (one.field, *(value.text or "" for value in one.values))):
        raise InputError("filter: a field or a value is not UTF-8, or contains half a character (a lone surrogate)")
    if len(one.field) > LONGEST or any(len(value.text or "") > LONGEST for value in one.values):
        raise InputError(f"filter {one.field[:40]!r}: longer than {LONGEST:,} characters")
    if len(one.values) > MOST_VALUES:
        raise InputError(f"filter {one.field!r}: {len(one.values):,} values; give at most {MOST_VALUES:,}")
    if one.operator in ("=", "!="):
        return one
    if len(one.values) > 1:
        raise InputError(f"filter {one.field!r}: {one.operator} takes one value; only = and != take a list")
    operand = one.values[0]
    if one.operator == "~" and operand.text == "":
        raise InputError(f"filter {str(one)!r}: ~ needs some text to look for")
    if one.operator in ORDER and operand.number is None and operand.when is None:
        if re.fullmatch(r"[-+]?[0-9]+\.?[0-9]*[eE][+]?[0-9]+", operand.text or "", re.ASCII):
            raise InputError(
                f"filter {str(one)!r}: {operand.shown} is too large; {one.operator} compares numbers of 64 bits"
            )
        raise InputError(
            f"filter {str(one)!r}: {one.operator} compares numbers and dates, and {operand.shown} is neither; "
            "e.g. 'year>=2020', 'date<2025-01-31'"
        )
    return one


def _shown(value: Any) -> str:
    shown = json.dumps(plain(value), ensure_ascii=False) if not isinstance(value, bytes) else repr(value)
    shown = shown.encode("utf-8", "backslashreplace").decode()
    return shown if len(shown) <= 60 else f"{shown[:59]}…"


# ---------------------------------------------------------------------- applying


def check_fields(conditions: Iterable[Condition], kinds: Kinds) -> None:
    """Refuse conditions that cannot find anything.

    Raises:
        InputError: a field that no document has, or a value whose type the field never has.
    """
    for one in conditions:
        there = kinds.get(one.field)
        if there is None:
            known = sorted(kinds)
            if inner := [name for name in known if name.startswith(f"{one.field}.")]:
                raise InputError(
                    f"filter {one.field[:100]!r}: its values are objects; filter one of their fields, e.g. "
                    f"{inner[0][:100]!r}"
                )
            more = f" and {len(known) - SHOWN_FIELDS} more" if len(known) > SHOWN_FIELDS else ""
            names = ", ".join(name[:40] or EMPTY for name in known[:SHOWN_FIELDS]) + more
            raise InputError(
                f"filter {one.field[:100]!r}: no document has that field; this index has "
                f"{names or 'no metadata at all'}"
                + (BY_JSON if any(set(name) & set("=<>~") for name in known[:SHOWN_FIELDS]) else "")
            )
        for operand in one.values:
            if not _can_match(one.operator, operand, there):
                raise InputError(f"filter {str(one)[:100]!r}: {_mismatch(one, operand, there)}")


def _can_match(sign: str, operand: Operand, there: frozenset[tuple[str, bool]]) -> bool:
    if sign == "~":
        return any(kind in operand.kinds and (listed or kind == "text") for kind, listed in there)
    return any(kind in operand.kinds and (sign not in ORDER or kind in ORDERED) for kind, _ in there)


def _mismatch(one: Condition, operand: Operand, there: frozenset[tuple[str, bool]]) -> str:
    kinds = {kind for kind, _ in there}
    shown = kinds - {"text"} if "date" in kinds and one.operator in ORDER else kinds
    what = f"its values are {' and '.join(sorted(WORDS[kind] for kind in shown))}"
    if one.operator == "~" and not any(listed for _, listed in there):
        return f"{what}; ~ searches lists and texts"
    if one.operator in ORDER and not kinds & ORDERED:
        return f"{what}; {one.operator} compares numbers and dates"
    return f"{what}; {operand.shown or EMPTY} is of a different kind"


def not_compared(shards: Sequence[tuple[Texts, NDArray[np.int64]]], conditions: Iterable[Condition]) -> Iterator[str]:
    """A sentence for each condition on dates that leaves out documents whose field has text that is not a date.

    Args:
        shards: the texts of each shard, and its deleted rows.
    """
    for one in conditions:
        if one.operator in ORDER and one.values[0].when is not None:
            count = sum(len(np.setdiff1d(_not_dates(texts, one.field), deleted)) for texts, deleted in shards)
            if count:
                yield (
                    f"filter {str(one)[:100]!r}: not compared in {count:,} documents, whose {one.field[:100]!r} is not "
                    f"a date as {DATES}"
                )


def _not_dates(texts: Texts, field: str) -> NDArray[np.int64]:
    """Rows in which the field has text but no date."""
    count = "SELECT count(*) FROM fields WHERE name = ? AND kind = ?"
    number = {kind: texts.select(count, (field, kind))[0][0] for kind in ("text", "long", "date")}
    if number["text"] + number["long"] <= number["date"]:
        return np.empty(0, np.int64)
    query = "SELECT row FROM fields WHERE name = ? AND kind IN ('text', 'long') EXCEPT "
    query += "SELECT row FROM fields WHERE name = ? AND kind = 'date'"
    return np.array([row for (row,) in texts.select(query, (field, field))], np.int64)


def matching_rows(texts: Texts, rows: int, conditions: Sequence[Condition]) -> NDArray[np.int64]:
    """Rows among the `rows` of a shard that satisfy every condition, ascending."""
    left = np.arange(rows, dtype=np.int64)
    for one in conditions:
        found = np.array(sorted({row for operand in one.values for row in _rows(texts, one, operand)}), np.int64)
        left = left[np.isin(left, found, assume_unique=True, invert=one.operator == "!=")]
    return left


def _rows(texts: Texts, one: Condition, operand: Operand) -> Iterable[int]:
    found: set[int] = set()
    if one.operator in ORDER:
        if operand.number is not None:
            found |= _numbers(texts, one.field, one.operator, operand.number)
        if operand.when is not None:
            start, after = operand.when
            low, high = {"<": (-FAR, start), "<=": (-FAR, after), ">": (after, FAR), ">=": (start, FAR)}[one.operator]
            found |= _times(texts, one.field, low, high)
        return found
    elements = one.operator == "~"
    if operand.text is not None:
        kind, key = text_key(operand.text)
        found |= _select(texts, one.field, kind, "value = ?", (key,), elements=elements)
        if elements:
            found |= _containing(texts, one.field, operand.text)
    if operand.number is not None:
        found |= _numbers(texts, one.field, "=", operand.number, elements=elements)
    if operand.truth is not None:
        found |= _select(texts, one.field, "bool", "value = ?", (int(operand.truth),), elements=elements)
    if operand.when is not None:
        found |= _times(texts, one.field, *operand.when, elements=elements)
    return found


def _select(
    texts: Texts, field: str, kind: str, where: str, values: tuple[Any, ...], *, elements: bool = False
) -> set[int]:
    only = " AND listed" if elements else ""
    query = f"SELECT row FROM fields WHERE name = ? AND kind = ? AND {where}{only}"
    return {row for (row,) in texts.select(query, (field, kind, *values))}


def _numbers(texts: Texts, field: str, sign: str, number: int | float, *, elements: bool = False) -> set[int]:
    """Compare exactly, even beyond 64 bits."""
    compare = {"=": operator.eq, **ORDER}[sign]
    only = " AND listed" if elements else ""
    query = f"SELECT value, row FROM fields WHERE name = ? AND kind = ?{only}"
    found = {row for value, row in texts.select(query, (field, "big")) if compare(int(value), number)}
    if fits(number):
        return found | _select(texts, field, "number", f"value {sign} ?", (number,), elements=elements)
    return found | {row for value, row in texts.select(query, (field, "number")) if compare(value, number)}


def _times(texts: Texts, field: str, low: int, high: int, *, elements: bool = False) -> set[int]:
    """Rows with a time from `low` to before `high`, in nanoseconds. Within a microsecond, the stored text decides."""
    whole = (-(-low // MICRO), high // MICRO)
    found = _select(texts, field, "date", "value >= ? AND value < ?", whole, elements=elements)
    only = " AND listed" if elements else ""
    near = f"SELECT row FROM fields WHERE name = ? AND kind = 'date' AND value = ?{only}"
    query = f"SELECT value, row FROM fields WHERE name = ? AND kind = 'text'{only} AND row IN ({near})"
    for edge in {bound // MICRO for bound in (low, high) if bound % MICRO}:
        for text, row in texts.select(query, (field, field, edge)):
            when = moment(text)
            if when is not None and low <= when[0] < high:
                found.add(row)
    return found


def _containing(texts: Texts, field: str, part: str) -> set[int]:
    """Rows with a string, outside lists, that contains `part`."""
    found = _select(texts, field, "text", "NOT listed AND instr(value, ?) > 0", (part,))
    query = "SELECT DISTINCT row FROM fields WHERE name = ? AND kind = 'long' AND NOT listed"
    for (row,) in texts.select(query, (field,)):
        found |= {row for text in _texts_of(texts.get(row).metadata, field) if part in text}
    return found


def _texts_of(metadata: Mapping[str, Any], field: str) -> Iterable[str]:
    """The strings, outside lists, at the path of a field."""
    stack: list[tuple[str, Any]] = list(metadata.items())
    while stack:
        name, value = stack.pop()
        if isinstance(value, Mapping):
            stack += [(f"{name}.{inner}", one) for inner, one in value.items()]
        elif isinstance(value, str) and name == field:
            yield value
