"""Reads JSON from files and servers, and refuses, with a clear message, what other JSON readers would refuse."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

from ..errors import DamagedError, InputError, XetrievalError
from ..records import Json
from .paths import no_file, path_of

Nan = Literal["refuse", "null", "lenient"]
LONGEST_NUMBER: Final = 300  # digits of an integer; "lenient" reads a longer one as null
DEEPEST: Final = 200  # levels; the code that uses the value is recursive


def parse_json(content: bytes | str, nan: Nan = "refuse") -> Json:
    """The value in `content`, which may be UTF-8 with a byte-order mark.

    Args:
        nan: NaN and Infinity are not JSON, but pandas and others write them: "refuse" them, or read them as "null".
            "lenient" also reads numbers that are too large as null, and accepts whatever Python's parser accepts, so
            that one odd number does not cost an answer that was paid for.
    Raises:
        InputError: not UTF-8, not JSON, nested too deeply, a number too large, a duplicate name in an object, or a lone
        surrogate. The message gives only the reason; callers add the location.
    """
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content.removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 (byte {error.start + 1})") from error
    try:
        value: Json = _DECODERS[nan].decode(text)
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON ({error.msg.removesuffix(' at')} at character {error.pos + 1})") from error
    except RecursionError as error:
        raise InputError("not usable JSON (nested too deeply)") from error
    except InputError:
        raise
    except ValueError as error:  # Python refuses integers of more than 4,300 digits
        raise InputError("not usable JSON (a number with thousands of digits)") from error
    if nan == "lenient":
        return value
    if text.count("[") + text.count("{") > DEEPEST:
        _check_depth(value)
    if "\\ud" in text or "\\uD" in text or isinstance(content, str):  # in bytes, a lone surrogate can only be an escape
        _check_characters(value)
    return value


def read_json(path: Path, error: type[XetrievalError] = DamagedError) -> Json:
    """The value in a JSON file. If it cannot be read, `error` is raised with the file's name.

    Raises:
        InputError: no such file. `error`: see `parse_json`.
    """
    path = path_of(path)
    if not path.is_file():
        raise no_file(path)
    try:
        return parse_json(path.read_bytes())
    except InputError as reason:
        raise error(f"{path}: {reason}") from reason


def read_object(path: Path, error: type[XetrievalError] = DamagedError) -> dict[str, Any]:
    """The object in a JSON file. If there is none, `error` is raised with the file's name.

    Raises:
        InputError: no such file. `error`: see `parse_json`; or the value is not an object.
    """
    value = read_json(path, error)
    if not isinstance(value, dict):
        raise error(f"{path}: not a JSON object")
    return value


def is_whole(text: str) -> bool:
    """Whether a text can be written as UTF-8: it has no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise InputError("not usable JSON (a number too large for 64 bits)")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise InputError(f"not JSON ({name}; JSON has no such number)")


def _null(_: str) -> None:
    return None


def _integer_or_null(digits: str) -> int | None:
    return int(digits) if len(digits) <= LONGEST_NUMBER else None


def _finite_or_null(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise InputError(f"not usable JSON (nested too deeply: more than {DEEPEST} levels)")
        inside = (one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list))
        level = [child for children in inside for child in children if isinstance(child, dict | list)]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, if it has no duplicate names; of those, some readers take the first value and others the last."""
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in made if names.count(name) > 1)
        raise InputError(f"not usable JSON (an object has the duplicate name {twice[:60]!a})")
    return made


_DECODERS: Final = {
    "refuse": json.JSONDecoder(object_pairs_hook=_once, parse_float=_finite, parse_constant=_refuse_constant),
    "null": json.JSONDecoder(object_pairs_hook=_once, parse_float=_finite, parse_constant=_null),
    "lenient": json.JSONDecoder(parse_int=_integer_or_null, parse_float=_finite_or_null, parse_constant=_null),
}


def _check_characters(value: Any) -> None:
    if not is_whole(json.dumps(value, ensure_ascii=False)):
        raise InputError("contains half a character (a lone surrogate)")
