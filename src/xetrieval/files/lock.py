"""Locks that let only one process work at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError
from .atomic import cache_folder, check_writable
from .hashing import digest_of


@contextmanager
def alone(lock: Path, refusal: str) -> Iterator[None]:
    """Lock the file `lock` for this process. The lock is released when the process ends, even if it is killed.

    Raises:
        InputError: another process has locked it; `refusal` is the message.
    """
    from filelock import FileLock, Timeout  # readers need no lock, and must work without this package

    held = FileLock(lock, thread_local=False)
    try:
        held.acquire(blocking=False)
    except Timeout as error:
        raise InputError(refusal) from error
    try:
        yield
    finally:
        held.release()


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Prevent other processes from writing `target`. The lock is in the cache folder, not beside the target.

    Raises:
        InputError: another process is writing it.
    """
    lock = cache_folder() / f"writing-{digest_of(os.path.realpath(target))[:16]}.lock"
    check_writable(lock.parent)
    with alone(lock, f"{target}: another process is writing it; wait until it finishes"):
        yield
