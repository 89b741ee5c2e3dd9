"""What a folder holds, as its config.json names it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

from ..errors import InputError, XetrievalError
from .json_text import read_json
from .paths import check_path

NAME: Final = "config.json"
CARD: Final = "README.md"
INDEX: Final = "xetrieval-index"  # all that is in such a folder belongs to it
DEEPEST: Final = 4  # folders above a file that may be ours and hold it


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


def check_not_ours(file: Path) -> None:
    """Raise InputError if a file that is there is part of an index, an explainer or another folder of ours."""
    if not file.exists():
        return
    for folder in file.parents[:DEEPEST]:
        kind = kind_of(folder) or ""
        ours = kind == INDEX
        if kind.startswith("xetrieval-") and folder == file.parent and not ours:
            ours = file.name in (NAME, CARD, *(read_json(folder / NAME).get("files") or ()))
        if ours:
            raise InputError(f"{file}: part of {folder}, which would be damaged; choose another output")


def check_outside_indexes(folder: Path) -> None:
    """Raise InputError for a folder inside an index: only the index's own commands change what is in there."""
    check_path(folder)
    for parent in Path(os.path.realpath(folder)).parents[:DEEPEST]:
        if kind_of(parent) == INDEX:
            raise InputError(f"{folder}: inside the index {parent}, which would be damaged; choose another folder")
