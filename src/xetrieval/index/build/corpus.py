"""The corpus of an index: texts, or vectors with ids, checked once before any work."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b, sha256
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from ...arrays import Float32, Matrix, as_vectors, l2norm
from ...configs import ChunkConfig
from ...data import Document, Skipped
from ...data.chunks import Cutter
from ...data.sources import stream_source
from ...encoders import Encoder, map_vectors, ruler_of, vector_ids
from ...errors import InputError
from ...files import digest_of, path_of, sha256_of_file
from ...options import check
from ...progress import Progress, silent
from ...records import Brief
from ...text import clip
from ..store.ids import whole_of
from ..store.texts import fingerprint
from .stores import VectorStore

CHECKED: Final = 8192  # vectors checked at once


class Entry(NamedTuple):
    """One document, and the row of its vector if the corpus has vectors."""

    document: Document
    place: int
    vector: Float32 | None = None  # its vector, if it comes from a store


@dataclass(frozen=True)
class Corpus(Brief):
    """The source of an index's documents.

    Args:
        sources: files and folders of documents, of the kinds in `data.sources`; read in this order.
        chunking: how documents longer than the encoder's limit are cut; None: as in the existing index, otherwise at
            the encoder's limit. Documents with vectors are not cut.
        vectors: a file with the vectors of the documents in `sources`, matched by id if it has ids, otherwise by row;
            without `sources`, documents have ids but no text.
        store: a vector store with documents and their vectors; instead of `sources` and `vectors`.
        skipped: collects what cannot be used.
        column: the column of vectors in a Parquet file; None takes "vector", or else the only one.
    Raises:
        InputError: `sources` is a single source instead of a list.
    """

    sources: tuple[Path, ...]
    chunking: ChunkConfig | None = None
    vectors: Path | None = None
    store: VectorStore | None = None
    skipped: Skipped | None = None
    column: str | None = None
    cutter: Cutter | None = field(default=None, repr=False, compare=False)  # set by a build
    _open: dict[tuple[int, ...], Matrix] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.sources, str | Path):
            raise InputError(f"corpus: sources is one {type(self.sources).__name__}, not a tuple; write (source,)")
        if not isinstance(self.sources, Iterable):
            raise InputError(f"corpus: sources is a {type(self.sources).__name__}, not a tuple of files and folders")
        object.__setattr__(self, "sources", tuple(map(path_of, self.sources)))
        object.__setattr__(self, "vectors", None if self.vectors is None else path_of(self.vectors))
        given = {"sources": self.sources, "vectors": self.vectors, "store": self.store is not None}
        more = {"chunk_tokens": self.chunking, "vector_column": self.column, "encoded": self.encoded}
        names = {"chunk_tokens": "chunking", "vector_column": "column", "encoded": "vectors"}
        check("build", {**given, **more}, names)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}}  # a worker process opens the vectors itself

    @property
    def encoded(self) -> bool:
        """Whether the documents come with vectors."""
        return self.vectors is not None or self.store is not None

    def cut_for(self, encoder: Encoder, before: ChunkConfig | None = None) -> Corpus:
        """The same corpus, with documents longer than the encoder reads cut into chunks.

        Args:
            before: how the existing index's documents were cut.
        """
        config = self.chunking or before or ChunkConfig()
        cutter = None if config.whole else Cutter(ruler_of(encoder, config), config.overlap)
        return replace(self, chunking=config, cutter=cutter)

    def entries(self) -> Iterator[Entry]:
        """All documents, in order."""
        if self.store is not None:
            return (Entry(record.document, place, record.vector) for place, record in enumerate(self.store.records()))
        if not self.sources:
            return (Entry(document, place) for place, document in enumerate(self._ids()))
        ids = self._vector_ids()
        rows = None if ids is None else {identifier: row for row, identifier in enumerate(ids)}
        if rows is None:
            return (Entry(document, place) for place, document in enumerate(self._documents()))
        return (Entry(document, self._row(rows, document.id)) for document in self._documents())

    def matrix(self) -> Matrix | None:
        """The vectors [n, m], memory-mapped or, from Parquet, read once; None if texts are encoded."""
        if self.vectors is None:
            return None
        if not self.vectors.is_file():
            return map_vectors(self.vectors, self.column)  # raises the error
        now = self.vectors.stat()
        version = now.st_ino, now.st_size, now.st_mtime_ns
        if version not in self._open:
            self._open.clear()
            self._open[version] = map_vectors(self.vectors, self.column)
        return self._open[version]

    def vectors_of(self, entries: Sequence[Entry], dimension: int) -> Float32:
        """The vectors [n, m] of some entries, as unit rows."""
        matrix = self.matrix()
        if matrix is not None:
            rows = matrix[[entry.place for entry in entries]]
        else:
            rows = np.stack([entry.vector for entry in entries if entry.vector is not None])
        return np.asarray(l2norm(as_vectors(rows, dimension, "document vectors")), np.float32)

    def facts(self) -> dict[str, Any]:
        """What the index's manifest records about the corpus."""
        chunking = None if self.chunking is None else self.chunking.to_dict()
        vectors = None if self.vectors is None else self.vectors.name
        sources = [path.name for path in self.sources] if self.store is None else [self.store.name]
        column = {} if self.column is None else {"column": self.column}
        return {"sources": sources, "chunking": chunking, "vectors": vectors, **column}

    def _documents(self) -> Iterator[Document]:
        documents = chain.from_iterable(stream_source(path, self.skipped, cut_files=False) for path in self.sources)
        return documents if self.cutter is None else self.cutter.cut(documents)

    def _ids(self) -> Iterator[Document]:
        matrix, ids = self.matrix(), self._vector_ids()
        if matrix is None:
            raise InputError("give a corpus, or vectors")
        for name in map(str, range(len(matrix))) if ids is None else ids:
            yield Document(name, "", "", name, {})

    def _vector_ids(self) -> Sequence[str] | None:
        """The ids that came with the vectors."""
        matrix = self.matrix()
        return None if matrix is None or self.vectors is None else vector_ids(self.vectors, len(matrix))

    def _row(self, rows: Mapping[str, int], identifier: str) -> int:
        if identifier not in rows:
            raise InputError(
                f"{self.vectors}: no vector for document {clip(identifier, 60)!r}; these vectors have ids, so "
                "each document needs a vector with its id"
            )
        return rows[identifier]


class Survey(NamedTuple):
    """The result of one pass over a corpus that found every line usable and every id unique."""

    documents: int
    digest: str  # digest of ids, texts and metadata, in order


def survey(corpus: Corpus, dimension: int, progress: Progress = silent) -> Survey:
    """Read everything once, keeping eight bytes per document in memory.

    Args:
        dimension: of the vectors, if any.
    Raises:
        InputError: a line that cannot be used, a duplicate id, a different number of vectors than documents, or a
        vector that is zero, not finite, or of the wrong dimension.
    """
    made, hashes, count, before = sha256(), array("Q"), 0, None
    for document, _, vector in corpus.entries():
        before, names = _names(document, before)
        hashes.extend(_hash(name) for name in names)
        made.update(fingerprint(document))
        if vector is not None:
            as_vectors(vector, dimension, f"vector of {document.id!r}")
            made.update(vector.tobytes())
        count += 1
        if count % 4096 == 0:
            progress("read", count, 0, "")
    (corpus.skipped or Skipped()).check(count, "the corpus")
    if not count:
        raise InputError("the corpus has no documents")
    _check_ids(corpus, hashes)
    matrix = corpus.matrix()
    if matrix is not None and corpus.vectors is not None:
        ids = vector_ids(corpus.vectors, len(matrix))
        if len(matrix) != count:
            _refuse_extra(corpus, ids)
            raise InputError(
                f"{corpus.vectors}: {len(matrix)} vectors for {count} documents; give one each (the shape is "
                f"{list(matrix.shape)})"
            )
        for first in range(0, count, CHECKED):
            as_vectors(matrix[first : first + CHECKED], dimension, str(corpus.vectors), first)
        made.update(sha256_of_file(corpus.vectors).encode())
        made.update(digest_of(ids or []).encode())
    return Survey(count, made.hexdigest())


def _refuse_extra(corpus: Corpus, ids: Sequence[str] | None) -> None:
    """Refuse vectors without a document, naming one if they have ids."""
    if ids is not None and corpus.sources:
        documents = {entry.document.id for entry in corpus.entries()}
        extra = next((name for name in ids if name not in documents), None)
        if extra is not None:
            raise InputError(f"{corpus.vectors}: has a vector for {clip(extra, 60)!r}, which the corpus does not have")


def blocks(entries: Iterator[Entry], size: int) -> Iterator[Sequence[Entry]]:
    """Split entries into blocks of at most `size` documents."""
    while block := list(islice(entries, size)):
        yield block


def _check_ids(corpus: Corpus, hashes: array[int]) -> None:
    values, counts = np.unique(np.frombuffer(hashes, np.uint64), return_counts=True)
    suspects = set(values[counts > 1].tolist())
    seen: set[str] = set()
    before = None
    for document, _, _ in corpus.entries() if suspects else ():
        before, names = _names(document, before)
        for name in names:
            if name in seen:
                chunk = " (chunks are named ID#1, ID#2, ...)" if name.rpartition("#")[2].isdigit() else ""
                raise InputError(f"duplicate document id {name!r} in the corpus{chunk}; give every document its own")
            if _hash(name) in suspects:
                seen.add(name)


def _names(document: Document, before: str | None) -> tuple[str | None, list[str]]:
    """The document that a chunk belongs to, and the ids that must be unique: the chunk's and, once, the document's."""
    whole = whole_of(document)
    if document.id == whole:
        return None, [whole]
    return whole, [document.id] if whole == before else [whole, document.id]


def _hash(identifier: str) -> int:
    return int.from_bytes(blake2b(identifier.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
