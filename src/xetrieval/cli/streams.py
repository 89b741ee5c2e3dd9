"""`-` where a file is expected: standard input or standard output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..store.atomic import STANDARD, is_stream, read_bytes

NAMED = "standard input"


def texts_or_input(*texts: str | None) -> list[str | None]:
    """Texts as they were typed; "-" is what standard input holds.

    Raises:
        InputError: it is asked for twice, or holds no UTF-8.
    """
    from ..errors import InputError

    if texts.count(STANDARD) > 1:
        raise InputError("- is standard input, and can be one text alone")
    try:
        return [read_bytes(Path(STANDARD)).decode("utf-8-sig") if text == STANDARD else text for text in texts]
    except UnicodeDecodeError as error:
        raise InputError(f"{NAMED}: not UTF-8 (byte {error.start + 1})") from error


@contextmanager
def readable(paths: Sequence[Path], ending: str = ".jsonl") -> Iterator[list[Path]]:
    """Paths that can be read more than once: what comes through "-", a pipe or a device is kept for so long."""
    from tempfile import TemporaryDirectory

    from ..errors import DamagedError, InputError

    if not any(map(is_stream, paths)):
        yield list(paths)
        return
    with TemporaryDirectory() as home:
        kept, names = [], {}
        for number, path in enumerate(paths):
            if not is_stream(path):
                kept.append(path)
                continue
            copy = Path(home) / (f"{path.name}{ending}" if number else f"standard-input{ending}")
            copy.write_bytes(read_bytes(path))
            kept.append(copy)
            names[str(copy)] = NAMED if str(path) == STANDARD else str(path)
        try:
            yield kept
        except (InputError, DamagedError) as error:
            message = str(error)
            for copy_name, name in names.items():
                message = message.replace(copy_name, name)
            raise type(error)(message) from error
