"""Checks every byte of an index against its manifest, and finds files that do not belong to it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import DamagedError
from ...files import path_of, read_object
from ...files.folders import LOCK
from ...files.kind import NAME as CONFIG
from ...files.manifest import check_file
from ...files.scratch import is_scratch
from ...progress import Progress, silent
from ..search.companions import companions
from ..store.layout import BUILDING, RECORD, SHARDS, TEXTS, WORDS
from ..store.manifest import Manifest, read_index_manifest
from ..store.ours import is_job
from ..store.sealed import check_database, check_seal, read_seal, seal_text
from ..store.texts import Texts


class Verified(NamedTuple):
    """The result of checking an index."""

    files: int  # number of files checked
    unknown: tuple[str, ...]  # paths of files in the folder that do not belong to the index


Check = tuple[Path, Callable[[], object]]


def verify_index(folder: Path, progress: Progress = silent) -> Verified:
    """Read and check all files of an index.

    Raises:
        DamagedError: a file is missing or differs; the message names it.
    """
    folder = path_of(folder)
    manifest = read_index_manifest(folder)
    todo = list(_checks(folder, manifest))
    for done, (_, check) in enumerate(todo, 1):
        check()
        progress("verify", done, len(todo), "")
    known = {path for path, _ in todo}
    return Verified(len(todo), tuple(_unknown(folder, known)))


def _checks(folder: Path, manifest: Manifest) -> Iterator[Check]:
    """Every file of the index, each with a function that checks it."""
    yield folder / CONFIG, partial(_check_written, folder / CONFIG, manifest.to_dict())
    if manifest.deleted.rows:
        yield folder / manifest.deleted_file, partial(manifest.deleted_rows, folder)
    for file, promised in manifest.explainer.files.items():
        path = folder / manifest.explainer_folder / file
        yield path, partial(check_file, path, promised)
    for file, promised in manifest.files.items():
        yield folder / file, partial(check_file, folder / file, promised)
    for name, record in manifest.shard_records:
        shard = folder / SHARDS / name
        yield shard / RECORD, partial(_check_written, shard / RECORD, record)
        for file, promised in record["files"].items():
            yield shard / file, partial(check_file, shard / file, promised)
        yield shard / TEXTS, partial(_check_texts, shard / TEXTS, str(record["texts"]))
    for path in sorted({seal for companion in companions() for seal in companion.seals(folder)}):
        yield path, partial(check_seal, path)
        for name in read_seal(path)["files"]:
            yield path.parent / name, lambda: None  # checked together with its seal


def _check_written(path: Path, record: dict[str, Any]) -> None:
    """Compare the bytes of a record file with the record, which can be written in only one way."""
    if not path.is_file():
        raise DamagedError(f"{path}: missing; restore it")
    found = read_object(path)
    if path.read_text(encoding="utf-8") != seal_text(found) or json.dumps(found) != json.dumps(record):
        raise DamagedError(f"{path}: was altered; restore it, or build the index again")


def _check_texts(path: Path, promised: str) -> None:
    with closing(Texts(path)) as texts:
        check_database(texts.db, path)
        if texts.digest() != promised:
            raise DamagedError(f"{path}: its content differs from what {CONFIG} promises; restore it")


def _unknown(folder: Path, known: set[Path]) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        if path.is_dir() or path in known or path.name == LOCK or re.fullmatch(rf"{WORDS}-\d+\.lock", place.as_posix()):
            continue
        if is_scratch(place.parts[0]) or (place.parts[0] == BUILDING and is_job(folder / BUILDING)):
            continue
        yield place.as_posix()


def folder_bytes(folder: Path) -> int:
    """Total size in bytes of the files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
