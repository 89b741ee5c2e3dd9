"""Rows that cannot be used: the first one is refused, or all of them are left out and listed with their reasons."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from ..errors import InputError
from ..files import is_stream, parse_json, write_bytes
from .lines import BadLine, shown

T = TypeVar("T")
FIELDS: Final = ["file", "line", "reason", "text"]


class LeftOut:
    """The bad rows that a run leaves out. A row that is read twice is counted once."""

    def __init__(self) -> None:
        self._rows: dict[tuple[Path, int, str], BadLine] = {}
        self._called: dict[Path, Path] = {}

    def call(self, path: Path, name: Path) -> None:
        """Rows of the file `path` are listed as rows of `name`, which it is a copy of."""
        self._called[path] = name

    def add(self, bad: BadLine) -> None:
        """One more row."""
        path = self._called.get(bad.path)
        bad = bad if path is None else BadLine(path, bad.number, bad.reason, bad.raw, bad.unit)
        self._rows.setdefault((bad.path, bad.number, bad.reason), bad)

    @property
    def rows(self) -> list[BadLine]:
        """Each bad row once, in the order in which they were met."""
        return list(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def check(self, used: int, what: str) -> None:
        """Refuse to continue with nothing.

        Raises:
            InputError: rows were left out and none was used.
        """
        if self._rows and not used:
            raise InputError(f"{what}: no usable row; the first: {self.rows[0]}")

    def write(self, target: Path) -> Path | None:
        """The rows as JSON lines {file, line, reason, text} beside `target`; without any, an old list is deleted."""
        path = list_beside(target)
        if path is None:
            return None
        if not self._rows:
            if _is_list(path):
                path.unlink()
            return None
        first, number = path, 1
        while path.exists() and not _is_list(path):  # somebody else's file: it stays
            number += 1
            path = first.with_name(f"{first.name.removesuffix('.jsonl')}-{number}.jsonl")
        records = [
            {"file": shown(b.path), "line": b.number, "reason": b.reason, "text": b.raw.decode("utf-8", "replace")}
            for b in self._rows.values()
        ]
        write_bytes(path, b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records))
        return path


def _is_list(path: Path) -> bool:
    """Whether a file is such a list, by its first line."""
    try:
        with path.open("rb") as file:
            record = parse_json(file.readline(1 << 26))
    except (OSError, InputError):
        return False
    return isinstance(record, dict) and list(record) == FIELDS


def list_beside(target: Path) -> Path | None:
    """Where the rows that a run left out are listed: TARGET.bad.jsonl; nowhere beside a stream or a device."""
    if is_stream(target):
        return None
    target = target if target.name else Path(os.path.realpath(target))
    return target.with_name(target.name + ".bad.jsonl")


def usable(rows: Iterable[T | BadLine], left_out: LeftOut | None = None) -> Iterator[T]:
    """The rows that can be used; bad ones go to `left_out`.

    Raises:
        InputError: a bad row, where nothing may be left out.
    """
    for row in rows:
        if not isinstance(row, BadLine):
            yield row
        elif left_out is None:
            raise InputError(f"{row}; fix it, or leave such rows out with --skip-bad")
        else:
            left_out.add(row)
