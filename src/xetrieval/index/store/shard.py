"""One sealed shard, whose files are mapped and read on demand."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32, IntArray
from ...errors import DamagedError
from ...explain.word_states import DocumentWords
from ...views import View
from .layout import POSTINGS, TEXTS, VECTORS, code_files, map_array, word_files
from .sealed import REMEDY, check_ids, check_numbers, check_starts
from .texts import Texts


class Posting(NamedTuple):
    """The documents of a shard that have one feature."""

    rows: NDArray[np.int64]  # within the shard, ascending
    values: Float32


class Shard:
    """Rows first .. first + rows of an index."""

    def __init__(self, folder: Path, record: dict[str, Any], first: int, dimension: int, features: int) -> None:
        self.folder, self.first, self.rows = folder, first, int(record["rows"])
        self.dimension, self.features = dimension, features
        self.has_words = word_files(features)[0] in record["files"]
        self._codes: dict[View, tuple[Any, Any, Any]] = {}
        self.mapped: dict[Path, tuple[int, int]] = {}  # inode and bytes of each file when it was mapped

    @cached_property
    def vectors(self) -> Float32:
        """[rows, m], memory-mapped."""
        path = self.folder / VECTORS
        if path.is_file() and path.stat().st_size != 4 * self.rows * self.dimension:
            raise DamagedError(f"{path}: {path.stat().st_size:,} bytes do not fit {self.rows:,} vectors; {REMEDY}")
        vectors: Float32 = self._map(VECTORS, self.dimension).reshape(-1, self.dimension)  # also if m is 1
        return vectors

    @cached_property
    def texts(self) -> Texts:
        """The documents themselves."""
        texts = Texts(self.folder / TEXTS)
        texts.check_rows(self.rows)
        return texts

    def open_files(self, views: Sequence[View]) -> None:
        """Open all files now, so that a reader keeps them if the shard is replaced."""
        for view in views:
            self.ragged(view, np.empty(0, np.int64))
        _ = self.vectors, self.texts, self.posting_starts
        if self.has_words:
            _ = self._words

    def ragged(self, view: View, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], IntArray, Float32]:
        """Codes of some rows of the shard: how many features each row has, and all ids and activations in one array."""
        if view not in self._codes:
            starts, features, values = (self._map(name) for name in code_files(view, self.features))
            if len(features) != len(values):
                raise DamagedError(f"{self.folder}: the codes of view {view} are incomplete; {REMEDY}")
            check_starts(starts, self.rows, len(features), self.folder / code_files(view, self.features)[0])
            self._codes[view] = (starts, features, values)
        starts, features, values = self._codes[view]
        low, high = starts[rows].astype(np.int64), starts[rows + 1].astype(np.int64)
        counts = high - low
        at = np.repeat(low - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts) + np.arange(int(counts.sum()))
        ids, activations = features[at].astype(np.int64), values[at].astype(np.float32)
        place = f"{self.folder}, the codes of view {view}"
        check_ids(ids, self.features, place)
        check_numbers(activations, place)
        row = np.repeat(np.arange(len(rows)), counts)
        unordered = (row[1:] == row[:-1]) & (ids[1:] <= ids[:-1])
        if unordered.any() or (activations <= 0).any():  # catches a file of zeros, as left by a power cut
            raise DamagedError(f"{place}: not features in ascending order with their activations; {REMEDY}")
        return counts, ids.astype(np.int32), activations

    def words(self, rows: NDArray[np.int64]) -> DocumentWords:
        """The words that carry the features of some rows; a row without known words has no features."""
        if not self.has_words:
            nothing = np.empty(0, np.int32), np.empty((0, 3), np.uint32)
            return DocumentWords(np.zeros(len(rows), np.int64), *nothing)
        starts, features, places = self._words
        low, high = starts[rows].astype(np.int64), starts[rows + 1].astype(np.int64)
        at = np.concatenate([*map(np.arange, low, high), np.empty(0, np.int64)]).astype(np.int64)
        ids = features[at].astype(np.int32)
        check_ids(ids, self.features, f"{self.folder}, the words")
        return DocumentWords(high - low, ids, np.array(places[at]))

    @cached_property
    def _words(self) -> tuple[Any, Any, Any]:
        names = word_files(self.features)
        starts, features, places = self._map(names[0]), self._map(names[1]), self._map(names[2], 3)
        if len(features) != len(places):
            raise DamagedError(f"{self.folder}: the words are incomplete; {REMEDY}")
        check_starts(starts, self.rows, len(features), self.folder / names[0])
        return starts, features, places

    @cached_property
    def posting_starts(self) -> NDArray[np.int64]:
        """[F + 1] where each feature's postings begin."""
        starts = np.asarray(self._map(POSTINGS[0]), np.int64)
        if len(self._posted[0]) != len(self._posted[1]):
            raise DamagedError(f"{self.folder}: the postings are incomplete; {REMEDY}")
        check_starts(starts, self.features, len(self._posted[0]), self.folder / POSTINGS[0])
        return starts

    def posting(self, feature: int) -> Posting:
        """The documents that have the feature in their original view."""
        low, high = self.posting_starts[feature : feature + 2].tolist()
        rows, values = self._posted[0][low:high].astype(np.int64), np.asarray(self._posted[1][low:high], np.float32)
        check_ids(rows, self.rows, self.folder / POSTINGS[1])
        check_numbers(values, self.folder / POSTINGS[2])
        if (rows[1:] <= rows[:-1]).any() or (values <= 0).any():
            raise DamagedError(
                f"{self.folder / POSTINGS[1]}: its rows are not in ascending order, or have no activation; {REMEDY}"
            )
        return Posting(rows, values)

    @cached_property
    def _posted(self) -> Sequence[Any]:
        return [self._map(name) for name in POSTINGS[1:]]

    def note_mapped(self, path: Path) -> None:
        """Remember the size of a file that is about to be mapped."""
        status = path.stat()
        self.mapped[path] = (status.st_ino, status.st_size)

    def truncated_file(self) -> Path | None:
        """A mapped file that was truncated in place; reading past its end crashes the process."""
        for path, (inode, size) in list(self.mapped.items()):
            try:
                status = path.stat()
            except OSError:  # replaced or removed by name: the mapping is still valid
                continue
            if status.st_ino == inode and status.st_size < size:
                return path
        return None

    def _map(self, name: str, columns: int = 1) -> Any:
        try:
            self.note_mapped(self.folder / name)
            return np.asarray(map_array(self.folder / name, columns))  # slices of a memmap are slow to make
        except (OSError, ValueError) as error:
            raise DamagedError(f"{self.folder / name}: cannot be mapped ({error}); restore it") from error
