"""JSON from types, and back: a dataclass or a named tuple becomes an object of its fields.

Three rules, so that a new field needs to be written only once:

- The keys are the fields, in order, then the properties that the class names in `json_also`. A class with
  fields that do not belong in JSON lists all keys in `json_keys` instead: "name", "name=attribute", or "name?" if the
  key is left out while it is empty.
- A field whose default is empty (None, "", (), {}) is left out while it is empty.
- Tuples become lists, mappings become objects with string keys.

`benchmarks/json_from_types.py` compares this with pydantic and msgspec.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Mapping
from functools import cache, cached_property
from inspect import getattr_static, signature
from reprlib import Repr
from types import UnionType
from typing import Any, Final, Literal, NamedTuple, TypeVar, cast, get_args, get_origin, get_type_hints

from .text import clip

T = TypeVar("T")
Json = dict[str, Any] | list[Any] | str | int | float | bool | None
EMPTY: Final[tuple[object, ...]] = (None, "", (), {})
PLAIN: Final = frozenset((str, int, float, bool, type(None)))


class Key(NamedTuple):
    """One key of an object."""

    name: str
    attribute: str
    optional: bool  # left out while it is empty


_BRIEF: Final = Repr()
_BRIEF.maxstring = _BRIEF.maxother = 40
_BRIEF.maxtuple = _BRIEF.maxlist = _BRIEF.maxdict = _BRIEF.maxlevel = 2


def brief(one: object) -> str:
    """`Name(field=value, ...)` in fewer than 200 characters: the fields that differ from their defaults."""
    defaults: dict[str, Any] = getattr(one, "_field_defaults", {})
    names: list[str] = list(getattr(one, "_fields", ()))
    for field in dataclasses.fields(one) if dataclasses.is_dataclass(one) else ():
        names.append(field.name)
        made = field.default_factory
        defaults[field.name] = field.default if made is dataclasses.MISSING else made()
    values = {name: getattr(one, name) for name in names}
    changed = [f"{name}={_BRIEF.repr(value)}" for name, value in values.items() if not _same(value, defaults.get(name))]
    return clip(f"{type(one).__name__}({', '.join(changed)})", 199)


def _same(value: object, default: object) -> bool:
    return value is default or (
        type(value) is type(default) and isinstance(value, Hashable | dict | list) and value == default
    )


class Brief:
    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__repr__" not in cls.__dict__:  # a dataclass would make a longer one
            cls.__repr__ = brief  # type: ignore[method-assign]


class Record(Brief):
    """A type that can be written as JSON."""

    def to_dict(self) -> dict[str, Any]:
        """As a JSON object."""
        return object_of(self)


class Settings(Brief):
    """A dataclass whose JSON has all fields, even empty ones."""

    def to_dict(self) -> dict[str, Any]:
        """As a JSON object."""
        own: Any = self
        return dataclasses.asdict(own)


@cache
def keys_of(kind: Hashable) -> tuple[Key, ...]:
    """The keys of a dataclass or a named tuple, in order.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        found = {field.name: Key(field.name, field.name, _may_be_empty(field)) for field in dataclasses.fields(kind)}
    elif isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields"):
        found = {name: Key(name, name, optional=False) for name in kind._fields}
    else:
        raise TypeError(f"{kind} is neither a dataclass nor a named tuple")
    chosen = getattr(kind, "json_keys", (*found, *getattr(kind, "json_also", ())))
    return tuple(found.get(text) or _key(text) for text in chosen)


def type_of(kind: type, attribute: str) -> object:
    """The type of a field, or the return type of a property."""
    found = getattr_static(kind, attribute, None)
    getter = found.fget if isinstance(found, property) else found.func if isinstance(found, cached_property) else None
    return get_type_hints(kind)[attribute] if getter is None else get_type_hints(getter)["return"]


def record_of(value: object) -> Json:
    """A value as JSON: objects, lists, strings, numbers and null."""
    kind = type(value)
    if kind in PLAIN:
        return cast(Json, value)
    if isinstance(value, tuple | list) and kind in (tuple, list):
        return [record_of(one) for one in value]
    if isinstance(value, Mapping):
        return {str(key): record_of(one) for key, one in value.items()}
    return object_of(value)


def object_of(value: object) -> dict[str, Any]:
    """A dataclass or a named tuple as a JSON object."""
    record = {}
    kind: Any = type(value)
    for key in keys_of(kind):
        part = getattr(value, key.attribute)
        if not (key.optional and part in EMPTY):
            record[key.name] = record_of(part)
    return record


def read_record(kind: type[T], value: object) -> T:
    """The inverse of `record_of`: a value of this type from its JSON.

    Raises:
        TypeError, ValueError, KeyError: a field is missing, unknown or of another type.
    """
    any_kind: Any = kind
    return cast(T, _reader_of(any_kind)(value))


@cache
def _reader_of(kind: Any) -> Callable[[Any], Any]:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is tuple and inner[-1] is ...:
        one = _reader_of(inner[0])
        return lambda value: tuple(map(one, _checked(value, list)))
    if origin is tuple:
        parts = [_reader_of(part) for part in inner]
        return lambda value: tuple(read(one) for read, one in zip(parts, _checked(value, list), strict=True))
    if origin is UnionType:  # "type | None"
        some = _reader_of(inner[0])
        return lambda value: None if value is None else some(value)
    if origin is Literal:
        return lambda value: _choice(value, inner)
    if kind is float:
        return lambda value: float(value) if type(value) is int else _checked(value, float)
    if origin is dict:
        part = _reader_of(inner[1])
        return lambda value: {name: part(one) for name, one in _checked(value, dict).items()}
    if kind is Any:
        return lambda value: value
    if kind in PLAIN:
        return lambda value: _checked(value, kind)
    hints = get_type_hints(kind)
    fields = {key.attribute: _reader_of(hints[key.attribute]) for key in keys_of(kind) if key.attribute in hints}
    needed = [name for name, one in signature(kind).parameters.items() if one.default is one.empty]

    def read(value: Any) -> Any:
        made = {}
        for name, part in _checked(value, dict).items():
            try:
                made[name] = fields[name](part)
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"field {name!r}: {error if name in fields else 'unknown'}") from error
        if lacking := [name for name in needed if name not in made]:
            raise ValueError(f"field {lacking[0]!r} is missing")
        return kind(**made)

    return read


def _choice(value: Any, choices: tuple[Any, ...]) -> Any:
    if value not in choices:
        raise ValueError(f"is {str(value)[:40]!r}, not {' or '.join(str(one) or 'empty' for one in choices)}")
    return choices[choices.index(value)]


def _checked(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{str(value)[:40]!r} is not {kind.__name__}")
    return value


def _may_be_empty(field: dataclasses.Field[Any]) -> bool:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory() in EMPTY
    return field.default is not dataclasses.MISSING and field.default in EMPTY


def _key(text: str) -> Key:
    """The key that an entry of `json_keys` or `json_also` describes."""
    name, _, attribute = text.partition("=")
    return Key(name.rstrip("?"), attribute or name.rstrip("?"), optional=name.endswith("?"))
