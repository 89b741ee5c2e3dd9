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
def readable(paths: Sequence[Path], skipped: Skipped | None = None) -> Iterator[list[Path]]:
    """Paths of files that can be read more than once: the content of "-" or a pipe is copied to a temporary file.

    What is compressed with gzip is read as such; without an extension, it is JSON Lines. Errors and `skipped` name the
    original, not the copy.
    """
    from tempfile import TemporaryDirectory

    from ..data.lines import GZIP

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
            content = read_bytes(path)
            packed = ".gz" if content.startswith(GZIP) and name.suffix != ".gz" else ""
            copy = Path(home) / str(number) / f"{name.name}{packed}"  # two may have the same name
            copy.parent.mkdir()
            copy.write_bytes(content)
            kept.append(copy)
            names[str(copy)] = str(name)
            if skipped is not None:
                skipped.rename(copy, name)
        try:
            yield kept
        except (InputError, DamagedError) as error:
            for copied, given in names.items():
                form = f"{given} is read as JSON lines; name a file to have another format read by its extension"
                foreign = copied in str(error) and "not JSON" in str(error) and not Path(copied).suffix.strip(".gz")
                error.args = (str(error).replace(copied, given) + (f" ({form})" if foreign else ""),)
            raise
