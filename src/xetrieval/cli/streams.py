"""`-` where a file is expected: standard input or standard output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DamagedError, InputError
from ..files.atomic import STANDARD, is_stream, read_bytes

if TYPE_CHECKING:
    from ..data import Skipped

NAMED = "standard input"


def texts_or_input(*texts: str | None) -> list[str | None]:
    """Texts as typed; "-" is read from standard input.

    Raises:
        InputError: more than one is "-", or the input is not UTF-8.
    """
    if texts.count(STANDARD) > 1:
        raise InputError("only one text can be -, standard input")
    try:
        return [read_bytes(Path(STANDARD)).decode("utf-8-sig") if text == STANDARD else text for text in texts]
    except UnicodeDecodeError as error:
        raise InputError(f"{NAMED}: not UTF-8 (byte {error.start + 1})") from error


@contextmanager
def readable(paths: Sequence[Path], skipped: Skipped) -> Iterator[list[Path]]:
    """Paths of JSON Lines that can be read more than once: the content of "-" or a pipe is copied to a temporary file.

    Errors and `skipped` name the original, not the copy.
    """
    from tempfile import TemporaryDirectory

    streams = [NAMED if str(path) in (STANDARD, "/dev/stdin") else str(path) for path in paths if is_stream(path)]
    if twice := next((name for name in streams if streams.count(name) > 1), ""):
        raise InputError(f"{twice} is named twice; it can be read only once")
    if not streams:
        yield list(paths)
        return
    with TemporaryDirectory() as home:
        kept, names = [], dict[str, str]()
        for number, path in enumerate(paths):
            if not is_stream(path):
                kept.append(path)
                continue
            name = Path(NAMED) if str(path) == STANDARD else path
            copy = Path(home) / str(number) / f"{name.name.replace(' ', '-')}.jsonl"  # two may have the same name
            copy.parent.mkdir()
            copy.write_bytes(read_bytes(path))
            kept.append(copy)
            names[str(copy)] = str(name)
            skipped.rename(copy, name)
        try:
            yield kept
        except (InputError, DamagedError) as error:
            for copied, given in names.items():
                error.args = (str(error).replace(copied, given),)
            raise
