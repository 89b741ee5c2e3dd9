"""One process at a time."""

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
    """Lock the file `lock` for this process; the lock ends with the process, however that ends.

    Raises:
        InputError: another process has locked it; `refusal` is the message.
    """
    from filelock import FileLock, Timeout  # reading needs no lock, and must work where there is none

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
    """Let no other process write `target` meanwhile. The lock is a file in the cache folder, not beside the target.

    Raises:
        InputError: another process is writing it.
    """
    lock = cache_folder() / f"writing-{digest_of(os.path.realpath(target))[:16]}.lock"
    check_writable(lock.parent)
    with alone(lock, f"{target}: another process is writing it; wait for it"):
        yield
