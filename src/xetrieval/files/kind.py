"""What a folder contains, according to its config.json."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

from ..errors import InputError, XetrievalError
from .json_text import read_object
from .paths import check_path, path_of

NAME: Final = "config.json"
CARD: Final = "README.md"
OURS: Final = "xetrieval-"  # the beginning of every format of ours
INDEX: Final = f"{OURS}index"  # everything in such a folder belongs to the index
DEEPEST: Final = 4  # levels of parent folders that are checked


class Kind(NamedTuple):
    """A kind of folder: its name in the manifest and in messages."""

    format: str
    version: int
    words: str  # "an explainer"
    oldest: int | None = None  # oldest version that can be read; None: only `version`
    remedy: str = "make it again"


def kind_of(folder: str | Path) -> str | None:
    """The format that a folder's config.json names; None if there is none or it cannot be read."""
    try:
        config = read_object(path_of(folder) / NAME)
    except XetrievalError:
        return None
    found = config.get("format") if isinstance(config, dict) else None
    return found if isinstance(found, str) else None


def check_not_ours(file: Path) -> None:
    """Raise InputError if a file exists and is part of an index, an explainer or another folder of ours."""
    if not file.exists():
        return
    for folder in file.parents[:DEEPEST]:
        kind = kind_of(folder) or ""
        ours = kind == INDEX
        if kind.startswith(OURS) and folder == file.parent and not ours:
            ours = file.name in (NAME, CARD, *(read_object(folder / NAME).get("files") or ()))
        if ours:
            raise InputError(f"{file}: part of {folder}, which would be damaged; choose another output")


def check_outside_indexes(folder: Path) -> None:
    """Raise InputError for a folder inside an index, which only the index's own commands may change."""
    check_path(folder)
    for parent in Path(os.path.realpath(folder)).parents[:DEEPEST]:
        if kind_of(parent) == INDEX:
            raise InputError(f"{folder}: inside the index {parent}, which would be damaged; choose another folder")
