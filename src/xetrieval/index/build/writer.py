"""Writes one shard by appending blocks, each completely or not at all, until the shard is sealed.

A block counts once progress.json records it. Anything a killed run wrote after that is cut off when the shard is
reopened, so the files are the same however often the run was killed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32, IntArray
from ...configs.build import SHARD_ROWS
from ...data import Document
from ...encoders import Encoded
from ...errors import DamagedError
from ...explain.pairs import reading
from ...explain.word_states import DocumentWords, WordStates
from ...files import read_json, sha256_of_file, write_text
from ...files.atomic import naming
from ...files.folders import sweep
from ...sae import SparseCodes
from ...views import ORIGINAL, View
from ..store.layout import (
    POSTINGS,
    PROGRESS,
    RECORD,
    STATES,
    TEXTS,
    VECTORS,
    array_type,
    code_files,
    map_array,
    word_files,
)
from ..store.sealed import settle
from ..store.texts import Texts


class ShardWriter:
    """A shard in `folder`, resumed where it stopped.

    Args:
        views: empty if the codes are made later.
        words: whether documents come with their words (or, if the codes are made later, with the states of their
        words). None: as when the shard was begun.
    """

    def __init__(
        self, folder: Path, dimension: int, features: int, views: Sequence[View], *, words: bool | None = False
    ) -> None:
        self.folder, self.dimension, self.features, self.views = folder, dimension, features, tuple(views)
        folder.mkdir(parents=True, exist_ok=True)
        self.with_words = (folder / STATES[0]).exists() if words is None else words
        self.with_states = self.with_words and (not views or words is None)
        self.texts = Texts(folder / TEXTS, writable=True)
        self.rows, self.coded = self._resume()  # rows that have vectors and texts; rows that also have codes

    @property
    def files(self) -> list[str]:
        """The files that blocks are appended to."""
        codes = (name for view in self.views for name in code_files(view, self.features))
        words = word_files(self.features) if self.with_words and self.views else ()
        return [VECTORS, *codes, *words, *(STATES if self.with_states else ())]

    def append(
        self,
        documents: Sequence[Document],
        encoded: Encoded,
        codes: Sequence[SparseCodes],
        words: DocumentWords | WordStates | None = None,
    ) -> None:
        """Append documents, with their codes in every view; a shard without views gets its codes later."""
        if self.rows + len(documents) > SHARD_ROWS:
            raise ValueError("the shard is full")
        self._write(VECTORS, encoded.vectors)
        if isinstance(words, WordStates):
            for name, numbers in zip(STATES, words, strict=True):
                self._write(name, numbers)
        if self.views:
            self._write_codes(codes, None if isinstance(words, WordStates) else words)
        self.texts.add(self.rows, documents, [reading(encoded.counts, row) for row in range(len(documents))])
        self.rows += len(documents)
        self._progress()

    def append_codes(self, codes: Sequence[SparseCodes], words: DocumentWords | None) -> None:
        """Append the codes, in every view, of the next rows that have vectors."""
        self._write_codes(codes, words)
        self._progress()

    def vectors(self, first: int, count: int) -> Float32:
        """The vectors [n, m] of at most `count` rows."""
        return np.array(map_array(self.folder / VECTORS, self.dimension)[first : min(self.rows, first + count)])

    def states(self, first: int, count: int) -> WordStates | None:
        """The words of at most `count` rows, with their states; None in a shard without words."""
        if not self.with_states:
            return None
        counts, places, scales = (map_array(self.folder / name) for name in STATES[:3])
        numbers = map_array(self.folder / STATES[3], self.dimension).reshape(-1, self.dimension)
        start, end = int(counts[:first].sum()), int(counts[: first + count].sum())
        found = (np.array(column[start:end]) for column in (places, scales, numbers))
        return WordStates(counts[first : first + count].astype(np.int64), *found)

    def close(self) -> None:
        """Leave the shard unfinished."""
        self.texts.close()

    def _write_codes(self, codes: Sequence[SparseCodes], words: DocumentWords | None) -> None:
        for view, own in zip(self.views, codes, strict=True):
            self._write_ragged(code_files(view, self.features), *ragged(own))
        if self.with_words:
            assert words is not None
            self._write_ragged(word_files(self.features), *words)
        self.coded += len(codes[0])

    def _write_ragged(self, names: tuple[str, str, str], sizes: Any, ids: Any, values: Any) -> None:
        starts, *columns = names
        before = 0 if not self.coded else int(map_array(self.folder / starts)[-1])
        if not self.coded:
            self._write(starts, np.zeros(1))
        self._write(starts, before + np.cumsum(sizes))
        for name, numbers in zip(columns, (ids, values), strict=True):
            self._write(name, numbers)

    def _progress(self) -> None:
        sizes = {name: (self.folder / name).stat().st_size for name in self.files}
        write_text(self.folder / PROGRESS, json.dumps({"rows": self.rows, "coded": self.coded, "bytes": sizes}))

    def seal(self, target: Path) -> dict[str, Any]:
        """Make the postings, hash every file, and move the shard to `target`. Returns its record."""
        write_postings(self.folder, self.features)
        content = self.texts.digest()
        self.texts.close()
        settle(self.folder / TEXTS)
        sweep(self.folder)
        names = {*self.files, *POSTINGS, TEXTS} - {*STATES}
        hashes = {name: sha256_of_file(self.folder / name) for name in sorted(names)}
        record = {"rows": self.rows, "texts": content, "files": hashes}
        write_text(self.folder / RECORD, json.dumps(record, indent=1) + "\n")
        is_sealed(self.folder, target)
        return record

    def _write(self, name: str, numbers: Any) -> None:
        with naming(self.folder / name), (self.folder / name).open("ab") as file:
            file.write(_as_stored(name, numbers).tobytes())
            file.flush()
            os.fsync(file.fileno())

    def _resume(self) -> tuple[int, int]:
        """The number of complete rows, and of rows with codes. Anything after them is cut off."""
        path = self.folder / PROGRESS
        progress: Any = read_json(path) if path.is_file() else {"rows": 0, "bytes": {}}
        for name in self.files:
            wanted, file = int(progress["bytes"].get(name, 0)), self.folder / name
            there = file.stat().st_size if file.exists() else 0
            if there < wanted:
                raise DamagedError(f"{file}: shorter than {PROGRESS} says; remove {self.folder} and run again")
            with file.open("ab") as opened:
                opened.truncate(wanted)
        self.texts.cut(int(progress["rows"]))
        return int(progress["rows"]), int(progress.get("coded", progress["rows"]))


def is_sealed(begun: Path, target: Path) -> bool:
    """Whether a shard is finished. If the writer was killed before moving it, moves it now."""
    if (begun / RECORD).is_file():
        sweep(begun, (PROGRESS, *STATES))
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(begun, target)
    return (target / RECORD).is_file()


def ragged(codes: SparseCodes) -> tuple[NDArray[np.int64], IntArray, Float32]:
    """Active features, row by row with ascending ids: sizes [n], ids and activations [rows]."""
    order = np.argsort(codes.features, axis=1, kind="stable")
    ids, values = np.take_along_axis(codes.features, order, 1), np.take_along_axis(codes.values, order, 1)
    active = values > 0
    return active.sum(axis=1), ids[active], values[active]


def _as_stored(name: str, numbers: Any) -> NDArray[Any]:
    kind = array_type(name)
    if kind == np.float16:  # weak activations must not become 0
        numbers = np.clip(numbers, np.finfo(np.float16).smallest_subnormal, np.finfo(np.float16).max)
    return np.ascontiguousarray(numbers, kind)


def write_postings(folder: Path, features: int) -> None:
    """Write the original view's codes by feature."""
    starts, ids, values = (map_array(folder / name) for name in code_files(ORIGINAL, features))
    counts = np.bincount(ids, minlength=features)
    order = np.argsort(ids, kind="stable")
    rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    made = (np.concatenate([[0], np.cumsum(counts)]), rows[order], values[order])
    for name, numbers in zip(POSTINGS, made, strict=True):
        with naming(folder / name):
            (folder / name).write_bytes(np.ascontiguousarray(numbers, array_type(name)).tobytes())
