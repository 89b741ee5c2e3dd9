"""An index opened for reading: documents, vectors, codes and postings, read from its files."""

from __future__ import annotations

import copy
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32, as_vectors, l2norm
from ...encoders import read_texts
from ...errors import DamagedError, InputError, MismatchError, NotComparedWarning
from ...explain import Explainer, Reading, load
from ...explain.pairs import reading
from ...explain.word_states import DocumentWords, words_at
from ...files import path_of
from ...files.kind import NAME as CONFIG
from ...sae import SparseCodes
from ...text import clip
from ...views import View
from .filters import Filters, Kinds, check_fields, matching_rows, not_compared, parse_filters
from .ids import IdLookup
from .layout import BUILDING, SHARDS
from .manifest import Manifest, read_index_manifest
from .ours import is_job
from .same_encoder import check_same_encoder
from .sealed import check_unit
from .shard import Shard
from .texts import ReadTotals, StoredDocument

Rows = NDArray[np.int64]
T = TypeVar("T")

CHECKED: Final = 4096  # if at most this many vectors are read, their lengths are checked; for more, their scores are
KEPT_OPEN: Final = 32  # shards; a smaller index is opened completely, so `index compact` does not affect readers


class IndexReader:
    """Documents with their vectors, codes and texts. It does not change while it is open."""

    def __init__(self, folder: Path, manifest: Manifest, explainer: Explainer, identity: tuple[int, ...]) -> None:
        self.folder, self.manifest, self.explainer, self.identity = folder, manifest, explainer, identity
        self.shards = [
            Shard(folder / SHARDS / name, record, first, manifest.dimension, manifest.features)
            for (name, record), first in zip(manifest.shard_records, manifest.firsts, strict=True)
        ]
        self.deleted: Rows = manifest.deleted_rows(folder)
        self._encoder_checked = False
        self._companions: dict[object, Any] = {}
        self._opening = threading.RLock()

    @classmethod
    def open(cls, folder: str | Path, explainer: str | Path | Explainer | None = None) -> Self:
        """Open an index. Only its manifest and its explainer are loaded; the other files are mapped.

        Args:
            explainer: a different copy of the explainer, perhaps with different labels; its weights must be equal.
        Raises:
            InputError: no index there, or its build is unfinished. DamagedError: it cannot be read.
            MismatchError: a different explainer.
        """
        path = path_of(folder)
        if not (path / CONFIG).is_file() and is_job(path / BUILDING):
            raise InputError(f"{path}: the build of this index is unfinished; run the same command again to resume")
        identity = identity_of(path)  # before reading the manifest, so that a change in between is noticed later
        manifest = read_index_manifest(path)
        if not isinstance(explainer, Explainer):
            copied, explainer = (
                explainer is not None,
                load(path / manifest.explainer_folder if explainer is None else explainer),
            )
        else:
            copied = True
        if copied and explainer.digest != manifest.explainer.digest:
            raise MismatchError(
                f"{path} was built with the explainer {manifest.explainer.name}, whose weights differ from those of "
                f"{explainer.name}"
            )
        shape = (manifest.dimension, manifest.features, manifest.views)
        if shape != (explainer.sae.dimension, explainer.sae.features, tuple(explainer.views)):
            raise DamagedError(
                f"{path / CONFIG}: {manifest.dimension} dimensions, {manifest.features} features and views "
                f"{', '.join(manifest.views)} do not match its explainer; restore it"
            )
        reader = cls(path, manifest, explainer, identity)
        for shard in reader.shards if len(reader.shards) <= KEPT_OPEN else ():
            shard.open_files(manifest.views)
        return reader

    def with_explainer(self, explainer: Explainer) -> Self:
        """The same index with a different copy of its explainer. Open files are shared."""
        other = copy.copy(self)
        other.explainer = explainer
        return other

    def is_current(self) -> bool:
        """Whether the folder is unchanged since it was opened: nothing was added, deleted or rebuilt."""
        return self.identity == identity_of(self.folder)

    def truncated_file(self) -> Path | None:
        """A file that was truncated in place; reading it would crash the process."""
        return next((path for shard in self.shards if (path := shard.truncated_file())), None)

    def companion(self, opener: Callable[[IndexReader], T]) -> T:
        """The result of `opener`, such as word counts, computed only once."""
        with self._opening:
            if opener not in self._companions:
                self._companions[opener] = opener(self)
            opened: T = self._companions[opener]
            return opened

    def __len__(self) -> int:
        return self.manifest.alive

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.folder)!r}, {len(self):,} documents)"

    # ------------------------------------------------------------------ documents

    def row_of(self, doc_id: str) -> int:
        """The row of a document.

        Raises:
            InputError: there is no such document, or it was deleted; or an id that is not text.
        """
        if not isinstance(doc_id, str):
            raise InputError(f"ids of documents are text, not {type(doc_id).__name__}")
        row = self.find(doc_id)
        if row is None:
            raise InputError(f"{self.folder}: {self.absent(doc_id)}")
        return row

    def absent(self, doc_id: str) -> str:
        """Why there is no row of that id: no such document, or it was cut into chunks."""
        if chunks := self.rows_of(doc_id):
            first = clip(self.document(chunks[0]).id, 80)
            return f"document {clip(doc_id, 80)!r} was cut into {len(chunks)} chunks; give one of them, e.g. {first!r}"
        return f"no document {clip(doc_id, 80)!r} in this index"

    def find(self, doc_id: str) -> int | None:
        """The row of a document; None if there is none."""
        return self._ids.find(doc_id)

    def rows_of(self, doc_id: str) -> list[int]:
        """The rows of a document or of its chunks; none if there is no such document."""
        return self._ids.rows_of(doc_id)

    def whole_of(self, row: int) -> str:
        """The id of the document that a row is a chunk of; its own id if it is not a chunk."""
        return self._ids.whole_of(row)

    def documents_of(self, rows: Iterable[int]) -> list[str]:
        """The documents that the rows belong to, each once, in order of first appearance."""
        return list(dict.fromkeys(map(self.whole_of, rows)))

    def by_document(self, grades: Mapping[str, int]) -> dict[str, int]:
        """Grades by document, from grades of documents and chunks: a document gets its best grade.

        Raises:
            InputError: not {document id: grade}, or a grade that is not a whole number.
        """
        if not isinstance(grades, Mapping):
            raise InputError(f"judgments: give {{document id: grade}}, not a {type(grades).__name__}")
        out: dict[str, int] = {}
        for name, grade in grades.items():
            if isinstance(grade, bool) or not isinstance(grade, int | np.integer) or not isinstance(name, str):
                raise InputError(
                    f"judgments: {clip(repr({name: grade}), 60)}: give ids as text, grades as whole numbers"
                )
            row = self.find(name)
            whole = name if row is None else self.whole_of(row)
            out[whole] = max(grade, out.get(whole, grade))
        return out

    def document(self, row: int) -> StoredDocument:
        """The document in a row."""
        shard = self.shard_of(row)
        return replace(shard.texts.get(row - shard.first), row=row)

    def shard_of(self, row: int) -> Shard:
        """The shard that contains a row."""
        return self.shards[int(np.searchsorted(self._firsts, row, side="right")) - 1]

    def vectors(self, rows: Rows) -> Float32:
        """Vectors of `rows` [n, m], in their order."""
        out = np.empty((len(rows), self.manifest.dimension), np.float32)
        for shard, positions in self._by_shard(rows):
            out[positions] = shard.vectors[rows[positions] - shard.first]
        if len(rows) <= CHECKED:
            check_unit(out, self.folder)
        return out

    def codes(self, rows: Rows, view: View) -> SparseCodes:
        """Codes of `rows` in one view, in their order."""
        parts = self._by_shard(rows)
        if not parts:
            return SparseCodes(np.empty((0, 1), np.int32), np.empty((0, 1), np.float32))
        found = [shard.ragged(view, rows[positions] - shard.first) for shard, positions in parts]
        codes = SparseCodes.of_ragged(*(np.concatenate(column) for column in zip(*found, strict=True)))
        return codes.rows(np.argsort(np.concatenate([positions for _, positions in parts])))

    def words(self, rows: Rows) -> DocumentWords:
        """The words that carry the features of `rows` (ascending); a row without known words has no features."""
        parts = [shard.words(rows[positions] - shard.first) for shard, positions in self._by_shard(rows)]
        return DocumentWords(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def words_of(self, row: int) -> dict[int, tuple[str, ...]]:
        """The words of a document that carry each of its features; empty if they are not known."""
        found, text = self.words(np.array([row])), self.document(row).text
        places = map(words_at, repeat(text), found.places.tolist())
        return dict(zip(found.features.tolist(), places, strict=True))

    def all_codes(self, rows: Rows) -> list[SparseCodes]:
        """Codes of `rows` in every view, the original view first."""
        return [self.codes(rows, view) for view in self.manifest.views]

    @cached_property
    def alive(self) -> Rows:
        """Rows that were not deleted, ascending."""
        return np.setdiff1d(np.arange(self.manifest.rows), self.deleted, assume_unique=True)

    @property
    def fields(self) -> list[str]:
        """Metadata fields that a filter can name."""
        return sorted(self.kinds)

    @property
    def learned_here(self) -> bool:
        """Whether its features were trained on the corpus that it was first built from."""
        corpus, history = self.explainer.provenance.get("corpus"), self.manifest.made_from
        if not corpus or not history:
            return False
        return all(history[0].get(key) == value for key, value in corpus.items())

    @property
    def added_later(self) -> int:
        """How many documents were added or replaced after its features were trained."""
        events = self.manifest.made_from[self.explainer.provenance.get("additions", 1) :]
        return sum(event["added"] + event["updated"] for event in events)

    @cached_property
    def kinds(self) -> Kinds:
        """The same fields, with the kinds of their values."""
        found: dict[str, set[tuple[str, bool]]] = {}
        for shard in self.shards:
            for name, kind, in_list in shard.texts.kinds():
                found.setdefault(name, set()).add((kind, in_list))
        return {name: frozenset(kinds) for name, kinds in found.items()}

    def matching(self, filters: Filters) -> Rows:
        """Rows that satisfy every filter, ascending, deleted ones included.

        Args:
            filters: see `filters`: ["year>=2020", "ok=true"], or {"year": [2019, 2020], "price": {"<": 3}}.
        Raises:
            InputError: a filter that cannot be read, a field that no document has, or a value of the wrong kind.
        """
        conditions = parse_filters(filters)
        check_fields(conditions, self.kinds)
        for sentence in self.not_compared(filters):
            warnings.warn(sentence, NotComparedWarning, stacklevel=3)
        out = [matching_rows(shard.texts, shard.rows, conditions) + shard.first for shard in self.shards]
        return np.concatenate([*out, np.empty(0, np.int64)])

    def not_compared(self, filters: Filters) -> list[str]:
        """A sentence for each filter on dates that leaves out documents whose field has text that is not a date."""
        shards = [(shard.texts, self.deleted - shard.first) for shard in self.shards]
        return list(not_compared(shards, parse_filters(filters)))

    # ------------------------------------------------------------------ features

    @cached_property
    def frequency(self) -> Rows:
        """How many documents have each feature in their original view, [F]."""
        counts = np.zeros(self.manifest.features, np.int64)
        for shard in self.shards:
            counts += np.diff(shard.posting_starts)
        for shard, positions in self._by_shard(self.deleted):
            _, features, _ = shard.ragged(self.manifest.views[0], self.deleted[positions] - shard.first)
            counts -= np.bincount(features, minlength=len(counts))
        return counts

    def postings(self, feature: int) -> tuple[Rows, Float32]:
        """Rows that have a feature in their original view, ascending, and its activation in each."""
        parts = [shard.posting(feature) for shard in self.shards]
        rows = [part.rows + shard.first for part, shard in zip(parts, self.shards, strict=True)]
        nothing = np.empty(0, np.float32)
        return np.concatenate([*rows, np.empty(0, np.int64)]), np.concatenate([*(p.values for p in parts), nothing])

    # ------------------------------------------------------------------ queries

    def query_vector(self, query: str | object) -> tuple[Float32, Reading]:
        """A query as a unit vector [m], and how much of it the encoder could read. A vector is only normalised.

        Raises:
            MismatchError: the encoder is no longer the one that encoded the documents.
        """
        if isinstance(query, str):
            if not self._encoder_checked:
                check_same_encoder(self)
                self._encoder_checked = True
            q, counts = read_texts(self.explainer.encoder, [query], "query")
            return q[0], reading(counts, 0)
        q = as_vectors(query, self.manifest.dimension, "query vector")
        if len(q) != 1:
            raise InputError(f"{len(q)} query vectors; search takes one at a time")
        return np.asarray(l2norm(q)[0], np.float32), Reading()

    @cached_property
    def _ids(self) -> IdLookup:
        return IdLookup([shard.texts for shard in self.shards], self.manifest.firsts, self.deleted)

    @cached_property
    def _firsts(self) -> Rows:
        return np.array(self.manifest.firsts, np.int64)

    def read_totals(self) -> ReadTotals | None:
        """How much of its documents the encoder could read, except deleted ones; None if not recorded."""
        if not self.manifest.counts_reading:
            return None
        total = ReadTotals()
        for shard in self.shards:
            total += shard.texts.read_totals()
        for shard, positions in self._by_shard(self.deleted):
            total -= shard.texts.read_totals((self.deleted[positions] - shard.first).tolist())
        return total

    def _by_shard(self, rows: Rows) -> list[tuple[Shard, Rows]]:
        """Shards with the positions of the `rows` that they contain."""
        owner = np.searchsorted(self._firsts, rows, side="right") - 1
        return [(self.shards[number], np.flatnonzero(owner == number)) for number in np.unique(owner)]


def identity_of(folder: Path) -> tuple[int, ...]:
    """A value that changes whenever the config.json of an index is replaced."""
    try:
        status = (folder / CONFIG).stat()
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size
