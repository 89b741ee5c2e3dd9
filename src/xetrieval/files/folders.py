"""Publishes folders completely or not at all, and never removes files that are not ours.

The file `.xetrieval` marks a folder of unfinished work and names its job; config.json marks a finished folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from ..errors import InputError, XetrievalError
from .atomic import STANDARD, check_folder, check_writable, naming, write_text
from .json_text import read_object
from .kind import CARD, NAME, Kind, check_outside_indexes, kind_of
from .lock import alone
from .paths import check_path
from .scratch import held, is_scratch, remove, scratch, scratch_beside

MARK: Final = ".xetrieval"
FORMAT: Final = "xetrieval-work"
LOCK: Final = ".lock"


def is_vacant(folder: Path) -> bool:
    """Whether the path is free: it does not exist, or is a folder with at most our lock and unfinished files in it."""
    check_path(folder)
    if not folder.is_dir():
        return not os.path.lexists(folder)
    with os.scandir(folder) as entries:
        return all(
            is_scratch(e.name) or (e.name == LOCK and e.is_file(follow_symlinks=False) and not e.stat().st_size)
            for e in entries
        )


def check_names_folder(target: Path) -> None:
    """Raise InputError for "-", since standard output cannot be a folder, and for a link to nothing."""
    if target.is_symlink() and not target.exists():
        raise InputError(f"{target}: a link to {os.readlink(target)}, which does not exist; choose another output")
    if str(target) == STANDARD:
        raise InputError("- is standard output, but the output is a folder; give the name of a folder")


def check_new_folder(target: Path) -> None:
    """Raise InputError unless a new folder can be made at `target`. Creates nothing; call it before long work."""
    _check_vacant(target)
    check_outside_indexes(target)


def _check_vacant(target: Path) -> None:
    check_names_folder(target)
    recover(target)
    if not is_vacant(target):
        raise InputError(f"{target} exists already; choose another output or remove it first")
    check_folder(target.absolute().parent)


@contextmanager
def new_folder(target: Path, over: Kind | None = None, *, part: bool = False) -> Iterator[Path]:
    """Yield a scratch folder that becomes `target` if the block succeeds and is removed if it fails.

    Args:
        over: `target` may be a folder of this kind: it is replaced in one step, and files in it that are not ours are
            kept.
        part: `target` is a part of the index that contains it. Otherwise a folder inside an index is refused.
    Raises:
        InputError: `target` contains something else, or cannot be written.
    """
    if not part:
        check_outside_indexes(target)
    recover(target)
    place = Path(os.path.realpath(target))
    foreign: list[str] = []
    if over is None or is_vacant(place):
        _check_vacant(target)
    else:
        foreign = _foreign(target, over)
    place.parent.mkdir(parents=True, exist_ok=True)
    with scratch(place) as made, naming(target):
        made.mkdir()
        with held(made):
            yield made
            for name in foreign:
                _take_over(target / name, made / name)
            _publish(made, place)


def _foreign(target: Path, kind: Kind) -> list[str]:
    """The files in a folder of ours that its config.json does not list."""
    if kind_of(target) != kind.format:
        raise InputError(f"{target} already exists and does not contain {kind.words}; choose another output")
    files = read_object(target / NAME).get("files")
    ours = {NAME, *(files if isinstance(files, dict) else ())} | ({CARD} if files else set())
    return sorted(name for name in os.listdir(target) if name not in ours)


def _take_over(source: Path, target: Path) -> None:
    if os.path.lexists(target):
        raise InputError(f"{source} was not made by xetrieval and would be overwritten; move it elsewhere")
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def _publish(scratch: Path, target: Path) -> None:
    if is_vacant(target):
        if target.is_dir():
            sweep(target, [LOCK])
            with suppress(OSError):
                target.rmdir()  # only on POSIX does a rename replace an empty folder
        os.replace(scratch, target)
    elif not _exchange(scratch, target):
        retired = scratch.with_name(scratch.name + "-old")
        os.replace(target, retired)
        try:
            os.replace(scratch, target)
        except OSError:
            os.replace(retired, target)
            raise
        shutil.rmtree(retired, ignore_errors=True)


def _exchange(first: Path, second: Path) -> bool:
    """Swap two folders in one step, if the system supports it. Returns whether it did."""
    if sys.platform != "linux":
        return False
    import ctypes

    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return rename is not None and rename(here, os.fsencode(first), here, os.fsencode(second), exchange) == 0


def recover(target: Path) -> None:
    """Restore a folder that a killed process moved aside but did not replace."""
    check_path(target)
    place = Path(os.path.realpath(target))
    if os.path.lexists(place) or not place.parent.is_dir():
        return
    beginning = scratch_beside(place).name.rsplit(".", 2)[0]
    wanted = re.compile(re.escape(beginning) + r"\.[0-9a-f]{8}\.xetrieval-old")
    for path in sorted(place.parent.iterdir()):
        if wanted.fullmatch(path.name) and path.is_dir():
            os.replace(path, place)
            return


def sweep(folder: Path, names: Sequence[str] = (), *, keep: str = "") -> None:
    """Remove half-written files that a killed process left in a folder of ours. Call it only when nobody else writes
    there.

    Args:
        names: patterns of other names to remove.
        keep: leave unfinished files whose names begin with this, which another process removes.
    """
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        unfinished = is_scratch(path.name) and not (keep and path.name.startswith(keep))
        if unfinished or any(fnmatchcase(path.name, name) for name in names):
            remove(path)


def claim(folder: Path, what: str) -> None:
    """Create a folder for unfinished work, or reuse ours. A mark in it says that it is ours.

    Raises:
        InputError: the folder contains something other than the work of a `what`.
    """
    check_names_folder(folder)
    check_outside_indexes(folder)
    _check_work(folder, what)
    check_writable(folder)
    _write_mark(folder, what, {})


def _check_work(folder: Path, what: str) -> None:
    if _mark(folder, what) is None and not is_vacant(folder):
        raise InputError(f"{folder} exists already and was not made by `{what}`; choose another output or move it")


def _mark(folder: Path, what: str) -> dict[str, Any] | None:
    try:
        mark = read_object(folder / MARK)
    except XetrievalError:
        return None
    ours = mark.get("format") == FORMAT and mark.get("of") == what
    return mark if ours else None


def _write_mark(folder: Path, what: str, facts: dict[str, Any]) -> None:
    write_text(folder / MARK, json.dumps({"format": FORMAT, "of": what, **facts}) + "\n")


class Work:
    """OUTPUT.work: the intermediate results of a job, from which the same command resumes.

    A context manager that only one process can enter at a time. If it ends without an error, the results are removed.

    Args:
        what: the job, for messages: "fit", "sae train".
        job: a digest of everything that determines its result, including the content of its inputs.
        names: patterns of the files and folders that the job creates there. Nothing else is removed.
    """

    def __init__(self, output: Path, what: str, job: str, names: Sequence[str]) -> None:
        self.output, self.what, self.job, self.names = output, what, job, tuple(names)
        place = output.absolute() if output.name else Path(os.path.realpath(output))
        if not place.name:  # the root of a file system has no sibling folder
            raise InputError(f"{output} exists already; choose another output or remove it first")
        self.folder = place.with_name(place.name + ".work")
        check_path(self.folder)
        self._held = ExitStack()

    def __enter__(self) -> Work:
        """Create the folder, or resume from it.

        Raises:
            InputError: the output exists already, the work folder is not ours, or another process uses it.
        """
        if not self.published:
            check_new_folder(self.output)
        _check_work(self.folder, self.what)
        check_writable(self.folder)
        busy = f"{self.folder}: another process is working there; wait until it finishes, or choose another output"
        with ExitStack() as held:
            held.enter_context(alone(self.folder / LOCK, busy))
            if not (self.folder / LOCK).is_file():  # the process that held it has just ended and removed it
                raise InputError(busy)
            if not self.published:
                check_new_folder(self.output)
                _write_mark(self.folder, self.what, {})
            self._held = held.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._held:
            if kind is None or not {path.name for path in self.folder.glob("*")} - {MARK, LOCK}:
                self.end()
                with suppress(OSError):  # some systems cannot remove an open file
                    (self.folder / LOCK).unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()

    @property
    def published(self) -> bool:
        """Whether the job was killed just after publishing its output."""
        mark = _mark(self.folder, self.what)
        return mark is not None and mark.get("published") == self.job and not is_vacant(self.output)

    def publishing(self) -> None:
        """Record that the output is about to be published."""
        _write_mark(self.folder, self.what, {"published": self.job})

    def end(self) -> None:
        """Remove the job's intermediate results."""
        sweep(self.folder, self.names)
        (self.folder / MARK).unlink(missing_ok=True)
