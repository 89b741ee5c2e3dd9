"""One process at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError


@contextmanager
def alone(lock: Path, refusal: str) -> Iterator[None]:
    """Hold the file `lock` for this process; it is let go with the process, however that ends.

    Raises:
        InputError: another process holds it; `refusal` is the message.
    """
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(refusal) from error
        yield
