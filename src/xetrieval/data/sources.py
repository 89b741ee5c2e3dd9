"""Where a corpus may lie: a BEIR folder, JSON lines, CSV, Parquet, or a folder of text and Markdown files.

All are read one document at a time. A document's `fields` hold `title`, `metadata` and, of a piece of a longer one,
`parent`, `start` and `end`.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from ..errors import InputError
from ..extras import require
from .chunks import Chunking, pieces
from .corpus import Document, document_of, read_corpus
from .lines import Line

TEXT_FILES: Final = (".txt", ".md", ".markdown", ".rst")
FILES_CUT: Final = Chunking(1000, 150)  # how the files of a folder are cut, unless told otherwise
PARQUET_ROWS: Final = 1024


def stream_source(path: Path, chunking: Chunking | None = None) -> Iterator[Document]:
    """The documents of one corpus, cut into pieces where `chunking` says so or the corpus is a folder of files.

    Raises:
        InputError: no such corpus, or a line, row or file that cannot be used.
    """
    reader, cut = _reader(path)
    chunking = chunking or cut
    for document in reader(path):
        if chunking is None:
            yield document
        else:
            yield from pieces(document, chunking)


def _reader(path: Path) -> tuple[Callable[[Path], Iterator[Document]], Chunking | None]:
    if path.is_dir():
        if any((path / name).is_file() for name in ("corpus.jsonl", "corpus.jsonl.gz")):
            return read_corpus, None
        return _read_folder, FILES_CUT
    if path.suffix in (".csv", ".tsv"):
        return _read_csv, None
    if path.suffix == ".parquet":
        return _read_parquet, None
    if path.suffix in TEXT_FILES:
        return _read_file, FILES_CUT
    return read_corpus, None


def _read_folder(folder: Path) -> Iterator[Document]:
    """Text and Markdown files, by path; hidden ones are passed over."""
    found = False
    for path in sorted(folder.rglob("*")):
        within = path.relative_to(folder)
        if path.suffix in TEXT_FILES and path.is_file() and not any(part.startswith(".") for part in within.parts):
            found = True
            yield from _file(path, within.as_posix())
    if not found:
        raise InputError(f"{folder}: neither corpus.jsonl nor any file ending in {', '.join(TEXT_FILES)}")


def _read_file(path: Path) -> Iterator[Document]:
    yield from _file(path, path.name)


def _file(path: Path, name: str) -> Iterator[Document]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:  # line ends stay: offsets are those of the file
            text = file.read()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start + 1}); convert it, or leave it out") from error
    if text.strip():
        title = next((line.strip("#= \t") for line in text.splitlines() if line.strip("#=- \t")), name)[:120]
        yield Document(name, text, text, name, {"title": title, "metadata": {"file": name}})


def _read_csv(path: Path) -> Iterator[Document]:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    csv.field_size_limit(min(sys.maxsize, 1 << 30))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",", strict=True)
            _check_columns(path, rows.fieldnames or [])
            for row in rows:
                if None in row or None in row.values():
                    raise InputError(f"{path}, line {rows.line_num}: expected {len(rows.fieldnames or [])} columns")
                yield _from_columns(path, rows.line_num, row)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start + 1}); convert it") from error
    except csv.Error as error:
        raise InputError(f"{path}, line {rows.line_num}: not CSV ({error})") from error


def _read_parquet(path: Path) -> Iterator[Document]:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    arrow, parquet = require("pyarrow", "data"), require("pyarrow.parquet", "data")
    try:
        file = parquet.ParquetFile(path)
        _check_columns(path, file.schema_arrow.names)
        number = 0
        for batch in file.iter_batches(PARQUET_ROWS):
            for row in batch.to_pylist():
                number += 1
                yield _from_columns(path, number, row)
    except arrow.ArrowInvalid as error:
        raise InputError(f"{path}: not a whole Parquet file ({str(error).splitlines()[0]})") from error


def _check_columns(path: Path, names: Any) -> None:
    if not {"_id", "id"} & set(names) or not {"text", "title"} & set(names):
        raise InputError(f"{path}: expected columns _id (or id) and text, it has {', '.join(map(str, names))}")


def _from_columns(path: Path, number: int, row: dict[str, Any]) -> Document:
    """A table's row: columns beside id, title and text are metadata."""
    identifier = row.get("_id") if row.get("_id") not in (None, "") else row.get("id")
    line = Line(path, number, {**row, "_id": identifier})
    metadata = {name: value for name, value in row.items() if name not in ("_id", "id", "title", "text", "metadata")}
    given = row.get("metadata")
    document = document_of(line)
    return document._replace(
        fields={"title": row.get("title") or "", "metadata": given if isinstance(given, dict) else metadata}
    )
