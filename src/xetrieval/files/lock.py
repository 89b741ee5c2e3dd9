"""One process at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError


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
