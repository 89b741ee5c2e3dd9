"""Checks the files of an index: database tables, array lengths, ids, and that numbers are finite.

Sizes and shapes are checked when a file is opened, ids and numbers when they are used, and entire files by `index
verify`.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import DamagedError, InputError, XetrievalError
from ...files import digest_of, parse_json, read_object, sha256_of_file, write_text
from ...files.database import has_tables_of
from ...files.manifest import check_file
from ...files.scratch import scratch

LONGEST: Final = 1 << 28  # bytes of one value in a database
PATIENCE: Final = 300.0  # seconds that the check of one database may take
COMPANION: Final = "xetrieval-companion"
LENGTHS: Final = 1e-3  # how much the squared length of a stored vector may differ from 1
REMEDY: Final = "restore it, or build the index again"


# ---------------------------------------------------------------------- databases


def open_sealed(path: Path, schema: str) -> sqlite3.Connection:
    """Open a finished database read-only. It must contain exactly the tables of `schema`.

    Raises:
        DamagedError: not a database, or one with other tables, indexes, views or triggers.
    """
    if not path.is_file():
        raise DamagedError(f"{path}: missing; {REMEDY}")
    db = sqlite3.connect(
        f"{Path(os.path.realpath(path)).as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
    )
    try:
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
        ours = has_tables_of(db, schema)
    except sqlite3.Error as error:
        db.close()
        raise DamagedError(f"{path}: damaged ({error}); {REMEDY}") from error
    if not ours:
        db.close()
        raise DamagedError(f"{path}: these are not the tables of an index; {REMEDY}")
    return db


def settle(path: Path) -> None:
    """Rewrite a database from its rows: the same rows give the same bytes, and deleted rows leave no trace."""
    with scratch(path) as made:
        try:
            with closing(sqlite3.connect(path)) as db:
                db.execute("PRAGMA schema_version = 1")  # else it would count how often a process began to write
                db.commit()
                made.touch()  # with the umask's permissions
                db.execute("VACUUM INTO ?", (str(made),))
        except sqlite3.Error as error:
            raise XetrievalError(f"{path}: cannot be rewritten ({error})") from error
        with made.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(made, path)


def check_database(db: sqlite3.Connection, path: Path) -> None:
    """SQLite's own check of every page and index, within a time limit.

    Raises:
        DamagedError: it finds damage, or takes too long.
    """
    end = time.monotonic() + PATIENCE
    db.set_progress_handler(lambda: int(time.monotonic() > end), 100_000)
    try:
        found = db.execute("PRAGMA integrity_check(1)").fetchall()
    except sqlite3.Error as error:
        raise DamagedError(f"{path}: damaged ({error}); {REMEDY}") from error
    finally:
        db.set_progress_handler(None, 0)
    if found != [("ok",)]:
        raise DamagedError(f"{path}: damaged ({str(found[0][0])[:200] if found else 'no answer'}); {REMEDY}")


def read_metadata(path: Path, stored: object) -> dict[str, Any]:
    """The metadata of one document as the database stores it.

    Raises:
        DamagedError: it is not a JSON object.
    """
    try:
        metadata = parse_json(stored, nan="null") if isinstance(stored, str) else None
    except InputError as error:
        raise DamagedError(f"{path}: the metadata of a document is {error}; {REMEDY}") from error
    if not isinstance(metadata, dict):
        raise DamagedError(f"{path}: the metadata of a document is not a JSON object; {REMEDY}")
    return metadata


# ---------------------------------------------------------------------- arrays


def check_starts(starts: NDArray[Any], count: int, values: int, place: Path) -> None:
    """Check the starts [count + 1] of runs in an array of `values` numbers.

    Raises:
        DamagedError: the wrong length, or starts that do not ascend from 0 to the end.
    """
    if len(starts) != count + 1 or int(starts[0]) != 0 or int(starts[-1]) != values:
        raise DamagedError(f"{place}: does not match the number of rows or values in the manifest; {REMEDY}")
    if (np.asarray(starts[1:]) < np.asarray(starts[:-1])).any():
        raise DamagedError(f"{place}: its numbers are not in ascending order; {REMEDY}")


def check_numbers(numbers: NDArray[Any], place: Path | str) -> None:
    """Raise DamagedError if a number is NaN or infinite."""
    if not np.isfinite(numbers).all():
        raise DamagedError(f"{place}: contains numbers that are NaN or infinite; {REMEDY}")


def check_unit(vectors: NDArray[Any], place: Path | str) -> None:
    """Raise DamagedError unless every row has the length 1."""
    squares = np.einsum("nm,nm->n", vectors, vectors)
    if not (np.abs(squares - 1) < LENGTHS).all():  # written so that NaN fails
        raise DamagedError(f"{place}: contains vectors whose length is not 1; {REMEDY}")


def check_ids(ids: NDArray[Any], limit: int, place: Path | str) -> None:
    """Raise DamagedError if an id is not one of 0 .. limit - 1."""
    if len(ids) and (int(ids.max()) >= limit or int(ids.min()) < 0):
        raise DamagedError(f"{place}: contains an id outside 0 to {limit - 1}; {REMEDY}")


# ---------------------------------------------------------------------- companion files, which make an index faster


def write_seal(path: Path, files: list[Path], facts: Mapping[str, Any] | None = None) -> None:
    """Record the hashes of companion files, which are in the seal's folder."""
    hashes = {file.relative_to(path.parent).as_posix(): sha256_of_file(file) for file in files}
    record = {"format": COMPANION, **(facts or {}), "files": hashes}
    write_text(path, seal_text(record | {"sha256": digest_of(record)}))


def seal_text(record: Mapping[str, Any]) -> str:
    """A record as JSON text, in a unique form, so that every changed bit is detected."""
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def read_seal(path: Path) -> dict[str, Any]:
    """The record of companion files.

    Raises:
        DamagedError: missing, or altered.
    """
    remedy = "remove it and make it again"
    if not path.is_file():
        raise DamagedError(f"{path}: missing; {remedy}")
    record = read_object(path)
    facts = {name: value for name, value in record.items() if name != "sha256"}
    if facts.get("format") != COMPANION or not isinstance(facts.get("files"), dict):
        raise DamagedError(f"{path}: not the record of an index's companion files; {remedy}")
    if record.get("sha256") != digest_of(facts) or path.read_text(encoding="utf-8") != seal_text(record):
        raise DamagedError(f"{path}: was altered (its own sha256 differs); {remedy}")
    return record


def check_seal(path: Path, only: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Compare companion files with their hashes: all files, or only those with one of the extensions `only`.

    Raises:
        DamagedError: a file is missing or differs; the index itself may be undamaged.
    """
    record = read_seal(path)
    for name, promised in record["files"].items():
        if Path(name).name != name:
            raise DamagedError(f"{path}: file {name!r} is outside the folder")
        if only is None or name.endswith(only):
            check_file(path.parent / name, promised)
    return record
