"""What a folder holds, as its config.json names it."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from ..errors import XetrievalError
from .json_text import read_json

NAME: Final = "config.json"


class Kind(NamedTuple):
    """What a folder holds: as the manifest names it, and as a person does."""

    format: str
    version: int
    words: str  # "an explainer"


def kind_of(folder: Path) -> str | None:
    """The format that a folder's config.json names; None where there is none, or it cannot be read."""
    try:
        config = read_json(folder / NAME)
    except XetrievalError:
        return None
    found = config.get("format") if isinstance(config, dict) else None
    return found if isinstance(found, str) else None
