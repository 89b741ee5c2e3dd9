"""Reads texts from lists, tuples, arrays, table columns or generators."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import InputError
from ..files import is_whole


def as_texts(texts: object, what: str = "text") -> list[str]:
    """`texts` as a list of plain strings: from a list, a tuple, a NumPy array, a pandas column or a generator.

    Raises:
        InputError: one bare text, an unordered collection, an entry that is not text, or one that contains a lone
        surrogate.
    """
    if isinstance(texts, str | bytes | bytearray):
        raise InputError(f"expected a list of {what} texts, got one {type(texts).__name__}; write [text]")
    if hasattr(texts, "columns"):  # iterating over a table yields its column names
        raise InputError(f"expected a list of {what} texts, got {_named(texts)}; give one column of it")
    if isinstance(texts, dict | set | frozenset) or not isinstance(texts, Iterable):
        raise InputError(f"expected a list of {what} texts, got {_named(texts)}")
    try:
        found = list(texts)
    except TypeError as error:  # an array without a dimension
        raise InputError(f"expected a list of {what} texts, got {_named(texts)} ({error})") from error
    for index, text in enumerate(found):
        if not isinstance(text, str):
            raise InputError(f"{what} {index + 1} is {_named(text)}, not text")
        _check_whole(text, f"{what} {index + 1}")
    return [str(text) for text in found]  # turns NumPy strings into plain ones


def as_text(text: object, what: str) -> str:
    """`text` as one plain string.

    Raises:
        InputError: it is not text, or contains a lone surrogate.
    """
    if not isinstance(text, str):
        raise InputError(f"the {what} is {_named(text)}, not text")
    _check_whole(text, f"the {what}")
    return str(text)


def _check_whole(text: str, what: str) -> None:
    if not is_whole(text):
        raise InputError(f"{what} contains half a character (a lone surrogate)")


def _named(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
