"""Scratch files and folders: recognised by name, locked while they are written, removed after a kill."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

try:
    import fcntl
except ImportError:  # Windows
    fcntl: Any = None  # type: ignore[no-redef]

_SCRATCH: Final = re.compile(r"\..+\.[0-9a-f]{8}\.xetrieval(-old|-journal)?")  # -journal: left by SQLite after a kill
YOUNG: Final = 2.0  # seconds; by then, even a slow process has locked its new scratch file
UNHELD: Final = 86400.0  # seconds; on systems without locks, a file this old is assumed abandoned


def scratch_beside(path: Path) -> Path:
    """A new name in the same folder for unfinished content, which `is_scratch` recognises."""
    return path.with_name(f"{_beginning(path)}{secrets.token_hex(4)}.xetrieval")


def is_scratch(name: str) -> bool:
    """Whether a name was made by `scratch_beside`."""
    return _SCRATCH.fullmatch(name) is not None


@contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """Yield a scratch name beside `path`, after removing what killed processes left there. Anything that still has the
    name afterwards is removed.
    """
    sweep_beside(path)
    made = scratch_beside(path)
    try:
        yield made
    finally:
        with suppress(OSError):
            remove(made)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Lock a scratch file or folder, so that other processes see that it is being written."""
    descriptor = None
    with suppress(OSError):  # the file system has no locks
        if fcntl is not None:
            descriptor = os.open(path, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def sweep_beside(target: Path, *, alone: bool = False) -> None:
    """Remove scratch files that processes left beside `target` when they were killed.

    Args:
        alone: the caller knows that no other process is writing it.
    """
    place = Path(os.path.realpath(target))
    beginning = _beginning(place)
    with suppress(OSError):  # the folder cannot be listed: remove nothing
        for path in sorted(place.parent.iterdir()):
            name = path.name
            if name.startswith(beginning) and re.fullmatch(r"[0-9a-f]{8}\.xetrieval", name[len(beginning) :]):
                with suppress(OSError):
                    if alone or _abandoned(path):
                        remove(path)


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with its content."""
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _beginning(path: Path) -> str:
    return f".{path.name.encode(errors='surrogateescape')[:180].decode(errors='ignore')}."


def _abandoned(path: Path) -> bool:
    if path.is_symlink() or time.time() - path.stat().st_mtime < (YOUNG if fcntl is not None else UNHELD):
        return False
    if fcntl is None:
        return True
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another process holds it, or the file system has no locks
        return False
    finally:
        os.close(descriptor)
    return True
