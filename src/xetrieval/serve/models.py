"""The answer types for FastAPI, made from the library's types, with the same JSON keys."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from functools import cache
from typing import NotRequired, Union, get_args, get_origin

from typing_extensions import TypedDict

from ..records import keys_of, type_of


@cache
def model_of(kind: object) -> object:
    """The JSON type of a Python type: an object with the keys of a dataclass or named tuple, a list or a value."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is tuple or origin is list:
        return types.GenericAlias(list, (model_of(inner[0]),))
    if origin in (Union, types.UnionType):
        return Union[tuple(model_of(one) for one in inner)]  # noqa: UP007  # made at run time
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return types.GenericAlias(dict, (str, model_of(inner[1])))
    if isinstance(kind, type) and (dataclasses.is_dataclass(kind) or hasattr(kind, "_fields")):
        fields = {}
        for key in keys_of(kind):
            model = model_of(type_of(kind, key.attribute))
            fields[key.name] = NotRequired[model] if key.optional else model
        made = TypedDict(kind.__name__, fields)  # type: ignore[misc]
        made.__doc__ = kind.__doc__
        return made
    return kind
