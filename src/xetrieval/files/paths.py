"""Checks paths from callers, and refuses one that no file system accepts with a clear message."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from ..errors import InputError
from ..text import clip

LONGEST_NAME: Final = 255  # bytes (on Windows: characters) of one name in a path: the limit of common file systems


def path_of(given: str | os.PathLike[str]) -> Path:
    """The path that a caller gave; "~" at its start is the user's home, as in a shell.

    Raises:
        InputError: it is not a path, contains a NUL byte or a lone surrogate, or is too long for the file system.
    """
    if not isinstance(given, str | os.PathLike):
        raise InputError(f"a path is expected, not {clip(repr(given), 60)} ({type(given).__name__})")
    path = Path(given)
    try:
        path = Path(os.path.expanduser(path))
        long = any(len(part if os.name == "nt" else os.fsencode(part)) > LONGEST_NAME for part in path.parts)
        os.lstat(path)
    except ValueError as error:
        shown = clip(ascii(str(path)), 80)
        raise InputError(f"{shown}: not a path (it contains a NUL byte or half a character)") from error
    except OSError as error:
        long = long or error.errno == errno.ENAMETOOLONG
    if long:
        raise InputError(f"{clip(str(path), 80)}: the path is too long for the file system")
    return path


def check_path(path: Path) -> None:
    """Raise InputError for an invalid path, and for one in which ".." follows a folder that does not exist.

    To the system such a path does not exist, so every check would pass; with ".." resolved it may be an existing
    file or folder.
    """
    path_of(path)
    for n, part in enumerate(path.parts):
        before = Path(*path.parts[:n])
        if part == ".." and n and not before.is_dir():
            raise InputError(f"{path}: no such folder: {before}; write the path without '..'")


def path_text(path: Path | str) -> str:
    """A path as it can be printed and stored: bytes that are not UTF-8 are written as \\xNN."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def no_file(path: Path) -> InputError:
    """The error of a path that is not a file."""
    return InputError(f"{path_text(path)}: {'that is a folder; give a file' if path.is_dir() else 'no such file'}")
