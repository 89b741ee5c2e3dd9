"""Compact, readable JSON for results: whatever fits goes on one line."""

from __future__ import annotations

import json
from typing import Any, Final

WIDEST: Final = 1200  # characters of an object or list of several levels on one line; flat ones may be longer


def as_json(value: Any, indent: str = "") -> str:
    """JSON with a final newline. Flat objects and lists take one line each, and so do others if they are short."""
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
    """Whether every member is a number, a text or a short list of these."""
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return all(not isinstance(m, dict | list | tuple) or _short(m) for m in members)


def _short(member: Any) -> bool:
    scalars = not any(isinstance(part, dict | list | tuple) for part in member)
    return isinstance(member, list | tuple) and len(member) <= 8 and scalars
