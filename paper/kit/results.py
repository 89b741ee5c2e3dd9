"""Results as JSON that a person can read and a repository can hold: what fits goes on one line."""

from __future__ import annotations

import json
from typing import Any, Final

WIDEST: Final = 1200  # characters of an object or list of several levels on one line; flat ones may be longer


def as_json(value: Any, indent: str = "") -> str:
    """JSON with a newline at its end. Flat objects and lists take one line each, others where they are short."""
    return f"{_text(value, indent)}\n"


def _text(value: Any, indent: str) -> str:
    line = json.dumps(value, ensure_ascii=False)
    if _flat(value) or len(line) <= WIDEST:
        return line
    inner = indent + " "
    if isinstance(value, dict):
        parts = [f"{json.dumps(str(key), ensure_ascii=False)}: {_text(part, inner)}" for key, part in value.items()]
    else:
        parts = [_text(part, inner) for part in value]
    first, last = "{}" if isinstance(value, dict) else "[]"
    return first + "".join(f"\n{inner}{part}," for part in parts)[:-1] + f"\n{indent}{last}"


def _flat(value: Any) -> bool:
    """Whether no member holds more than numbers, texts or short lists of them."""
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return all(not isinstance(m, dict | list | tuple) or _short(m) for m in members)


def _short(member: Any) -> bool:
    scalars = not any(isinstance(part, dict | list | tuple) for part in member)
    return isinstance(member, list | tuple) and len(member) <= 8 and scalars
