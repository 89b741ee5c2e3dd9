"""The files of an index: config.json marks an index, and building/job.json an unfinished build.

Nothing else is removed. A folder with other content is refused before anything is changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from ...errors import DamagedError, InputError, XetrievalError
from ...files import alone, check_writable, is_vacant, kind_of, new_folder, read_json, read_object, recover, write_text
from ...files.folders import LOCK, check_names_folder, sweep
from ...files.kind import NAME as CONFIG
from .layout import BUILDING, EXPLAINER, KIND, PROGRESS, RECORD, SENTENCES, SHARDS, TEXTS, WORDS
from .manifest import EXPLAINERS, Manifest

JOB: Final = "job.json"
JOB_FORMAT: Final = "xetrieval-index-build"
SHARD_FILES: Final = ("*.f32", "*.f16", "*.i8", "*.u16", "*.u32", f"{TEXTS}*", RECORD, PROGRESS)
DELETED: Final = re.compile(r"deleted-\d{6,}\.u64")
LEARNED: Final = ("sentences.f32", "sae.safetensors", "sae.state.pt", "learned.json")  # an unfinished dictionary
_SHARD: Final = re.compile(r"\d{6,}")


def check_ours(folder: Path) -> None:
    """Refuse a folder unless it is empty, an index, or an unfinished build of one. Creates nothing.

    Raises:
        InputError: it is none of these.
    """
    check_names_folder(folder)
    recover(folder)
    if is_vacant(folder) or kind_of(folder) == KIND.format:
        if not is_vacant(folder / BUILDING) and not is_job(folder / BUILDING):
            raise InputError(f"{folder / BUILDING} is not an unfinished build of this index; move it elsewhere")
        return
    if not is_job(folder / BUILDING):
        raise InputError(f"{folder} exists already and its content is not an index; choose another folder, or empty it")


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Make this the only process that writes an index. Creates the folder, and removes it if the work fails and leaves
    it empty.

    Raises:
        InputError: the folder contains something that is not an index, or another process is writing there.
    """
    check_ours(folder)
    made, lock = not folder.exists(), folder / LOCK
    check_writable(folder)
    try:
        with alone(lock, f"{folder}: locked: another process is writing this index"):
            sweep(folder, keep=f".{WORDS}")
            yield
    except BaseException:
        if made and {path.name for path in folder.iterdir()} <= {lock.name}:
            with suppress(OSError):
                lock.unlink(missing_ok=True)
                folder.rmdir()
        raise


def is_job(building: Path) -> bool:
    """Whether a folder contains an unfinished build."""
    try:
        return read_job(building) is not None
    except DamagedError:
        return False


def read_job(building: Path) -> dict[str, Any] | None:
    """The job of an unfinished build; None if there is none.

    Raises:
        DamagedError: its record cannot be read.
    """
    path = building / JOB
    if not path.is_file():
        return None
    try:
        record = read_json(path)
    except XetrievalError as error:
        raise DamagedError(f"{error}; move it elsewhere and build again") from error
    if not isinstance(record, dict) or record.pop("format", None) != JOB_FORMAT:
        raise DamagedError(f"{path}: not the job of a build of this release; move it elsewhere and build again")
    return record


def is_rewrite(building: Path, job: str | None = None) -> bool:
    """Whether a folder contains an unfinished rewrite (compact, relearn); if `job` is given, of that job."""
    try:
        record = read_job(building)
    except DamagedError:
        return False
    return record is not None and "rewrite" in record and job in (None, record["rewrite"])


def check_finished(folder: Path) -> None:
    """Raise InputError if a build of this index is unfinished. An unfinished rewrite does not count."""
    if is_job(folder / BUILDING) and not is_rewrite(folder / BUILDING):
        raise InputError(f"{folder}: a build of this index is unfinished; finish it with the command that began it")


def abandon_rewrite(folder: Path, manifest: Manifest) -> None:
    """Discard an unfinished rewrite, because a different change to the index is about to begin."""
    if is_rewrite(folder / BUILDING):
        remove_unfinished(folder, manifest)
        end_building(folder)


def begin_building(folder: Path, job: dict[str, Any]) -> None:
    """Record which build is running, before it writes its first file. The record of an abandoned build is replaced."""
    content = json.dumps({"format": JOB_FORMAT, **job})
    if is_job(folder / BUILDING):
        write_text(folder / BUILDING / JOB, content)
        return
    with new_folder(folder / BUILDING, part=True) as scratch:
        write_text(scratch / JOB, content)


def remove_unfinished(folder: Path, manifest: Manifest | None) -> None:
    """Remove shards and explainers that the manifest does not name, and unfinished ones.

    The job record stays, to prove that these files are ours.
    """
    if not is_job(folder / BUILDING):
        return
    named: frozenset[str] = frozenset()
    if manifest is None:
        sweep(folder / EXPLAINER, SENTENCES)
    else:
        named = manifest.names
        for path in sorted(folder.iterdir()):
            if EXPLAINERS.fullmatch(path.name) and path.name != manifest.explainer_folder:
                _remove_explainer(path)
    for home, kept in ((folder / SHARDS, named), (folder / BUILDING, frozenset())):
        for shard in sorted(home.iterdir()) if home.is_dir() else ():
            if _SHARD.fullmatch(shard.name) and shard.is_dir() and shard.name not in kept:
                remove_shard(shard)
    sweep(folder / BUILDING, LEARNED)


def end_building(folder: Path) -> None:
    """Remove what is left of a build that has been published."""
    building = folder / BUILDING
    if not is_job(building):
        return
    for shard in sorted(building.iterdir()):
        if _SHARD.fullmatch(shard.name) and shard.is_dir():
            remove_shard(shard)
    sweep(building, LEARNED)
    if [path.name for path in building.iterdir()] == [JOB]:
        (building / JOB).unlink()
        building.rmdir()
    else:
        strange = next(path for path in sorted(building.iterdir()) if path.name != JOB)
        raise InputError(f"{strange} was not made by the build; move it elsewhere, and run the same command again")


def own_files(folder: Path) -> list[str]:
    """The files of an index's explainer: config.json, files that it names, the card, and the vectors of sentences."""
    names = {CONFIG, "README.md", *SENTENCES, *read_object(folder / CONFIG)["files"]}
    return sorted(name for name in names if (folder / name).is_file())


def _remove_explainer(folder: Path) -> None:
    """Remove the files of an explainer that an index no longer uses. Other files in its folder stay."""
    if (folder / CONFIG).is_file():
        for name in sorted(own_files(folder), key=lambda name: name == CONFIG):  # config.json, which names them, last
            (folder / name).unlink()
    with suppress(OSError):
        folder.rmdir()


def remove_shard(shard: Path) -> None:
    """Remove the files of a shard, and its folder.

    Raises:
        InputError: the folder contains something else.
    """
    sweep(shard, SHARD_FILES)
    try:
        shard.rmdir()
    except OSError as error:
        raise InputError(f"{shard} has files that no build made; move them elsewhere ({error.strerror})") from error
