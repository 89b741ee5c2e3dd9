"""Records what a run leaves out of its input: bad rows, files without text, front matter that is not YAML."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from ..errors import InputError
from ..files import is_stream, parse_json, write_bytes
from ..files.paths import path_text
from .lines import BadLine

T = TypeVar("T")
FIELDS: Final = ["file", "line", "reason", "text"]
WITHOUT_TEXT: Final = "without text"


class Skipped:
    """What a run leaves out. A row that is read twice is counted once.

    Readers take it as `skipped`; without it, and without `bad_rows`, the first bad row is an error.

    Args:
        bad_rows: leave out bad rows.
    """

    def __init__(self, *, bad_rows: bool = False) -> None:
        self.bad_rows = bad_rows
        self._rows: dict[tuple[Path, int, str], BadLine] = {}
        self._names: dict[Path, Path] = {}
        self._files: dict[Path, dict[Path, str]] = {}  # for each source: file and kind
        self._unread: dict[Path, set[Path]] = {}

    def rename(self, path: Path, name: Path) -> None:
        """List bad rows of the file `path` as rows of `name`, from which it was copied."""
        self._names[path] = name

    def add_row(self, bad: BadLine) -> None:
        """Add a row."""
        path = self._names.get(bad.path, bad.path)
        self._rows.setdefault((path, bad.number, bad.reason), BadLine(path, bad.number, bad.reason, bad.raw, bad.unit))

    def add_file(self, source: Path, path: Path, kind: str) -> None:
        """Add a file of `source` that gives no document. `kind`: its extension in lower case, or WITHOUT_TEXT."""
        self._files.setdefault(source, {})[path] = kind

    def add_front_matter(self, source: Path, path: Path) -> None:
        """Add a page of `source` whose front matter is not readable YAML and was treated as text."""
        self._unread.setdefault(source, set()).add(path)

    @property
    def rows(self) -> list[BadLine]:
        """Each bad row once, in the order of reading."""
        return list(self._rows.values())

    @property
    def notes(self) -> list[str]:
        """A sentence about the files of each source, and one about their front matter."""
        notes = [_files(source, Counter(kinds.values())) for source, kinds in self._files.items()]
        return notes + [_pages(source, sorted(pages)) for source, pages in self._unread.items()]

    def check(self, used: int, what: str) -> None:
        """Refuse to continue if nothing is left.

        Raises:
            InputError: rows were left out and none was used.
        """
        if self._rows and not used:
            raise InputError(f"{what}: no usable row; the first: {self.rows[0]}")

    def write(self, target: Path) -> Path | None:
        """The rows as JSON lines {file, line, reason, text} in TARGET.bad.jsonl; nothing is written if the target is a
        stream or a device.

        If there are no rows, an old list is deleted.
        """
        if is_stream(target):
            return None
        target = target if target.name else Path(os.path.realpath(target))
        path = target.with_name(target.name + ".bad.jsonl")
        if not self._rows:
            if _is_list(path):
                path.unlink()
            return None
        first, number = path, 1
        while path.exists() and not _is_list(path):  # not one of ours: leave it
            number += 1
            path = first.with_name(f"{first.name.removesuffix('.jsonl')}-{number}.jsonl")
        records = [
            {"file": path_text(b.path), "line": b.number, "reason": b.reason, "text": b.raw.decode("utf-8", "replace")}
            for b in self.rows
        ]
        write_bytes(path, b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records))
        return path


def usable(rows: Iterable[T | BadLine], skipped: Skipped | None = None) -> Iterator[T]:
    """The rows that can be used.

    Raises:
        InputError: a bad row that `skipped` does not take.
    """
    for row in rows:
        if not isinstance(row, BadLine):
            yield row
        elif skipped is None or not skipped.bad_rows:
            raise InputError(f"{row}; fix it, or leave such rows out with --skip-bad")
        else:
            skipped.add_row(row)


def _is_list(path: Path) -> bool:
    """Whether a file is such a list, by its first line."""
    try:
        with path.open("rb") as file:
            record = parse_json(file.readline(1 << 26))
    except (OSError, InputError):
        return False
    return isinstance(record, dict) and list(record) == FIELDS


def _files(source: Path, counts: Counter[str]) -> str:
    kinds = ", ".join(f"{count:,} {kind or 'without extension'}" for kind, count in counts.most_common(6))
    number = counts.total()
    were = "file was" if number == 1 else "files were"
    more = ", ..." if len(counts) > 6 else ""
    skipped = f"{number:,} {were} skipped: no text, or an unsupported extension"
    return f"{path_text(source)}: {skipped} ({kinds}{more})"


def _pages(source: Path, pages: list[Path]) -> str:
    first = "" if pages == [source] else f", e.g. {path_text(pages[0].relative_to(source))}"
    of = "page has front matter" if len(pages) == 1 else "pages have front matter"
    return f"{path_text(source)}: {len(pages):,} {of} that is not readable YAML, and was treated as text{first}"
