"""Reads a corpus: a BEIR folder, JSON lines, a table (`CORPUS_FILES`), or a folder of text, Markdown and HTML files.

Documents are read one at a time, always in the same order. Their `fields` are `title` and `metadata`; `chunk` is the
position of the text in the document as written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from typing import Final

from ..errors import InputError
from ..files import path_of
from ..files.paths import path_text
from ..registry import CORPUS_FILES
from .chunks import CharacterRuler, Cutter
from .corpus import Document, document_of
from .lines import BadLine, each, read_json_lines
from .pages import PAGE_FILES, read_folder, read_page
from .skipped import Skipped, usable

Reader = Callable[[Path], Iterator[Document | BadLine]]
CORPUS_NAMES: Final = ("corpus.jsonl", "corpus.jsonl.gz")


def stream_source(path: Path, skipped: Skipped | None = None, *, cut_files: bool = True) -> Iterator[Document]:
    """The documents of one corpus.

    Args:
        cut_files: cut text files into chunks measured in characters, because there is no encoder.
    """
    skipped = skipped or Skipped()
    reader, files = _reader(path, skipped)
    documents = usable(reader(path), skipped)
    return Cutter(CharacterRuler()).cut(documents) if files and cut_files else documents


def stream_documents(paths: Iterable[Path], skipped: Skipped | None = None) -> Iterator[Document]:
    """The documents of several corpora, one at a time. Only a hash of each id and text stays in memory.

    A document that occurs in two corpora with the same id and text is used once; any other duplicate id is refused.
    """
    known: dict[bytes, tuple[Path, bytes]] = {}  # hash of an id -> its first corpus, hash of its text
    for path in paths:
        for document in stream_source(path, skipped):
            name, here = document.id, (path, _hash(document.text))
            first = known.setdefault(_hash(name), here)
            if first is here:
                yield document
            elif first[0] == path:
                raise InputError(f"{path_text(path)}: duplicate document id {name!r}; give every document its own")
            elif first[1] != here[1]:
                raise InputError(f"id {name!r} has one text in {path_text(first[0])} and another in {path_text(path)}")


def read_corpora(paths: Iterable[Path], skipped: Skipped | None = None) -> list[Document]:
    """All documents of several corpora; see `stream_documents`."""
    given = list(paths)
    documents = list(stream_documents(given, skipped))
    read = ", ".join(map(path_text, given))
    (skipped or Skipped()).check(len(documents), read)
    if not documents:
        raise InputError(f"{read}: contains no documents")
    return documents


def _hash(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).digest()


def _reader(path: Path, skipped: Skipped) -> tuple[Reader, bool]:
    """The function that reads a corpus, and whether it reads text files."""
    if path_of(path).is_dir():
        if all((path / name).is_file() for name in CORPUS_NAMES):
            skipped.add_file(path, path / CORPUS_NAMES[1], "corpus.jsonl.gz beside corpus.jsonl")
        return (_read_json, False) if _corpus_file(path) != path else (partial(read_folder, skipped=skipped), True)
    ending = Path(path.name.lower().removesuffix(".gz")).suffix
    if ending in PAGE_FILES:
        return partial(read_page, skipped=skipped), True
    if ending not in CORPUS_FILES:
        return _read_json, False
    module, function = CORPUS_FILES[ending].split(".")
    reader: Reader = getattr(import_module(f".{module}", __package__), function)
    return reader, False


def _read_json(path: Path) -> Iterator[Document | BadLine]:
    return each(read_json_lines(_corpus_file(path), nan="null"), document_of)


def _corpus_file(path: Path) -> Path:
    """The corpus file of a BEIR folder; any other path is returned unchanged."""
    files = [path / name for name in CORPUS_NAMES]
    return next((file for file in files if file.is_file()), path)
