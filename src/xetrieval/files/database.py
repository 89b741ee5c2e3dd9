"""SQLite files that several threads and processes use at once."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import DamagedError, InputError
from .atomic import check_writable

PATIENCE = 60.0  # seconds that a connection waits for other connections


@contextmanager
def database(path: Path, schema: str, what: str) -> Iterator[sqlite3.Connection]:
    """Yield a connection to `path`, which is created with `schema` if it is new. Messages call its content `what`.

    Raises:
        InputError: the folder cannot be written to, or other connections kept the file busy. DamagedError: not a
            database, or it has other tables, views or triggers.
    """
    if not path.exists():
        check_writable(path.parent)
        path.touch()  # with the umask's permissions; SQLite itself gives 0644 at most
    elif not path.is_file():
        raise InputError(f"{path}: {what} must be a file, and this is not one; remove it")
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE)) as db:
            try:
                _prepare(db, schema)
            except UnicodeDecodeError as error:
                raise DamagedError(
                    f"{path}: {what} is damaged (it contains a name that is not text); delete it"
                ) from error
            if not has_tables_of(db, schema):  # check before reading: a query on a view may never end
                raise DamagedError(f"{path}: {what} is damaged (it has unexpected tables); delete it")
            yield db
    except sqlite3.OperationalError as error:
        raise InputError(f"{path}: {what} cannot be used now ({error}); try again") from error
    except sqlite3.DatabaseError as error:
        raise DamagedError(f"{path}: {what} is damaged ({error}); delete it") from error


def is_full(error: BaseException) -> bool:
    """Whether SQLite failed because the disk is full or cannot be used."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def _prepare(db: sqlite3.Connection, schema: str) -> None:
    """Prepare the database. Retries: the timeout does not apply when two connections switch to write-ahead logging."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute(schema)
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.01)


def has_tables_of(db: sqlite3.Connection, schema: str) -> bool:
    """Whether a database has the tables of `schema`, and no other table, index, view or trigger."""
    try:
        return _things(db) == _expected(schema)
    except UnicodeDecodeError:  # a name or an SQLite message that is not valid text
        return False


def _things(db: sqlite3.Connection) -> frozenset[tuple[Any, ...]]:
    bytes_of = ", ".join(
        f"CAST({column} AS BLOB)" for column in ("type", "name", "tbl_name", "sql")
    )  # they may not be valid text
    return frozenset(db.execute(f"SELECT {bytes_of} FROM sqlite_master LIMIT 100").fetchall())


@cache
def _expected(schema: str) -> frozenset[tuple[Any, ...]]:
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(schema)
        return _things(db)
