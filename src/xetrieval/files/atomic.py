"""Files are replaced in one step: a reader sees the old content or the new one, never a mixture."""

from __future__ import annotations

import errno
import os
import re
import selectors
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from ..errors import InputError
from .kind import check_not_ours
from .paths import check_path, no_file, path_of
from .scratch import held, scratch

STANDARD: Final = "-"  # standard output, or standard input, where a file is expected
PATIENCE: Final = 2.0  # seconds to wait for another process to open the other end of a pipe
_OPEN: Final = re.compile(r"/dev/(stdin|stdout|stderr|fd/\d+)|/proc/(self|\d+)/fd/\d+")  # files already open


def cache_folder() -> Path:
    """The folder for cached results: $XETRIEVAL_CACHE, or else the user's cache folder."""
    chosen = os.environ.get("XETRIEVAL_CACHE")
    if chosen:
        return path_of(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xetrieval"


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file that becomes `path` if the block succeeds and is removed if it fails.

    "-" is standard output. Devices, pipes and sockets are written to directly. If `path` is a symbolic link, its target
    is replaced. A new file gets the mode that the umask allows; an existing file keeps its mode.

    Raises:
        InputError: the folder cannot be written to. OSError: the disk is full; the error names the path.
    """
    if is_stream(path):
        with _stream(path) as file:
            yield file
        return
    target = _named_by(path)
    check_writable(target.parent)
    with scratch(target) as made, naming(path), made.open("xb") as f, held(made):
        yield f
        f.flush()
        os.fsync(f.fileno())
        if target.exists():
            made.chmod(stat.S_IMODE(target.stat().st_mode))
        f.close()  # Windows cannot rename an open file
        os.replace(made, target)


def _named_by(path: Path) -> Path:
    """The file that a path refers to once links are resolved. The file need not exist."""
    check_path(path)
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise InputError(f"{path}: a link that leads back to itself; choose another output or remove it first")
    return target


def is_stream(path: Path) -> bool:
    """Whether `path` is a stream rather than a file: "-", a device, a pipe or a socket."""
    if str(path) == STANDARD or _OPEN.fullmatch(str(path)):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


@contextmanager
def _stream(path: Path) -> Iterator[IO[bytes]]:
    if str(path) == STANDARD:
        sys.stdout.flush()
        file: Any = getattr(sys.stdout, "buffer", None) or _Characters()
        yield file
        file.flush()
        return
    with naming(path), _open_stream(path) as file:
        yield file


def _open_stream(path: Path) -> IO[bytes]:
    """Open a device or a pipe for writing. A plain open() of a pipe would wait forever for a reader."""
    if not path.is_fifo():
        return path.open("ab")  # append: /dev/stdout may be a file that other processes write to
    until = time.monotonic() + PATIENCE
    while True:
        try:
            writes = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
        if time.monotonic() > until:
            raise InputError(f"{path}: nobody reads from this pipe; give a file")
        time.sleep(0.05)
    os.set_blocking(writes, True)
    return os.fdopen(writes, "wb")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add `path` to errors that name no file, such as "No space left on device"."""
    try:
        yield
    except OSError as error:
        if error.errno is None and "requested and" in str(error):  # NumPy, of a file that it could not write whole
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


class _Characters:
    """Standard output that only accepts text, as in a notebook."""

    def write(self, content: bytes) -> int:
        return sys.stdout.write(content.decode())

    def flush(self) -> None:
        sys.stdout.flush()


def read_bytes(path: Path) -> bytes:
    """The content of a file or a pipe. "-" is standard input.

    Raises:
        InputError: no such file, a device (which may never end), or a pipe that nobody writes to.
    """
    if str(path) == STANDARD:
        if sys.stdin is None:
            raise InputError("standard input is closed; give a file")
        buffer = getattr(sys.stdin, "buffer", None)
        return bytes(buffer.read()) if buffer is not None else sys.stdin.read().encode()
    path = path_of(path)
    if not path.exists() or path.is_dir():
        raise no_file(path)
    mode = path.stat().st_mode
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise InputError(f"{path}: a device; give a file, a pipe, or - for standard input")
    return _read_pipe(path) if stat.S_ISFIFO(mode) else path.read_bytes()


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, without its byte-order mark.

    Raises:
        InputError: no such file, or it is not UTF-8.
    """
    path = path_of(path)
    if not path.is_file():
        raise no_file(path)
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start + 1}); save it as UTF-8") from error


def _read_pipe(path: Path) -> bytes:
    """Everything written to a pipe. A plain open() would wait forever for a writer."""
    reads = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(reads, "rb") as file:
        with selectors.DefaultSelector() as waiting:  # `select` only takes file descriptors below 1,024
            waiting.register(reads, selectors.EVENT_READ)
            if not waiting.select(PATIENCE):
                raise InputError(f"{path}: nobody writes to this pipe; give a file")
        os.set_blocking(reads, True)
        return file.read()


def write_bytes(path: Path, content: bytes) -> None:
    """Replace the content of `path` in one step."""
    with replacing(path) as file:
        file.write(content)


def write_text(path: Path, content: str) -> None:
    """Replace the content of `path` with UTF-8 text, in one step."""
    write_bytes(path, content.encode())


def check_file(path: Path) -> None:
    """Raise InputError unless `path` can be written as a file. Creates nothing; call it before long work."""
    if path_of(path).is_dir():
        raise InputError(f"{path}: that is a folder; give a file")
    if not is_stream(path):
        target = _named_by(path)
        check_folder(target.parent)
        check_not_ours(target)


def check_apart(output: Path, *sources: Path | None) -> None:
    """Raise InputError if `output` is an input file or in an input folder, which would be overwritten."""
    check_path(output)
    if is_stream(output):
        return
    for source in (None if one is None else path_of(one) for one in sources):
        if source is None or not (output.exists() and source.exists()):
            if source is not None and os.path.realpath(source) == os.path.realpath(output):
                raise InputError(f"{output}: named twice; choose another output")
            continue
        within = source.is_dir() and any(source.samefile(folder) for folder in _named_by(output).parents)
        if within or source.samefile(output):
            of = f" (a file of {source})" if within else ""
            raise InputError(f"{output}: that is the input{of}, which would be replaced; choose another output")


def check_folder(folder: Path) -> None:
    """Raise InputError unless `folder` exists or can be created, and can be written to. Creates nothing."""
    check_path(folder)
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}; choose another folder") from error


def check_writable(folder: Path) -> None:
    """Create `folder` if it is absent, and raise InputError unless it can be written to."""
    check_path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}; choose another folder") from error
