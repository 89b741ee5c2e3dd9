"""Removes deleted and replaced documents from an index by rewriting the shards that contain them.

If it is killed, the same command resumes; a build, an addition or a deletion in between discards the unfinished work.
Readers see the index either as it was before or as it is afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from ...configs.build import SHARD_ROWS
from ...data import Document
from ...data.corpus import ChunkPlace
from ...encoders import Counts, Encoded
from ...errors import InputError
from ...files import digest_of, path_of
from ...files.scratch import remove
from ...progress import Progress, advanced, silent
from ..search.companions import companions
from ..store.layout import BUILDING, RECORD, SHARDS, shard_name
from ..store.manifest import Manifest, read_index_manifest
from ..store.ours import begin_building, check_finished, end_building, is_rewrite, remove_unfinished, writing
from ..store.reader import IndexReader, Rows
from ..store.texts import StoredDocument
from .pipeline import remove_stale_rows, write_manifest_with
from .verify import folder_bytes
from .writer import ShardWriter, is_sealed

BLOCK: Final = 4096  # documents copied at once


class Compacted(NamedTuple):
    """The outcome of a compaction."""

    removed: int  # rows of deleted and replaced documents
    documents: int  # number of documents now in the index
    bytes_before: int
    bytes_after: int


class _Part(NamedTuple):
    """A shard of the new index: an unchanged one, or rows for a new one."""

    name: str
    record: dict[str, Any] | None  # None: to be written
    rows: Rows


def compact_index(folder: Path, progress: Progress = silent, shard_rows: int = SHARD_ROWS) -> Compacted:
    """Remove the texts, vectors and codes of deleted and replaced documents from an index's files.

    Searches find the same ids and scores as before, but row numbers change. Readers that have the index open are not
    affected. Copies that make search faster are removed; `index accelerate` makes them again.

    Args:
        shard_rows: documents per new shard; shards that are less than half full are joined with a changed neighbour.
    Raises:
        InputError: an unfinished build, another process writes the index, or no document would be left.
    """
    folder = path_of(folder)
    read_index_manifest(folder)
    with writing(folder):
        manifest = read_index_manifest(folder)
        check_finished(folder)
        before, removed = folder_bytes(folder), manifest.deleted.rows
        if manifest.deleted.rows:
            if not manifest.alive:
                raise InputError(f"{folder}: every document in it was deleted; remove the folder instead")
            manifest = _compact(folder, manifest, progress, shard_rows)
        try:
            clean(folder, manifest)
        except OSError as error:
            raise InputError(
                f"{folder} is compacted, but {error.filename} cannot be removed ({error.strerror}); close the program "
                "that has it open, and run `xetrieval index compact` again"
            ) from error
        return Compacted(removed, manifest.alive, before, folder_bytes(folder))


def _compact(folder: Path, manifest: Manifest, progress: Progress, shard_rows: int) -> Manifest:
    job = digest_of([manifest.job, manifest.generation, shard_rows, "compact"])
    if not is_rewrite(folder / BUILDING, job):
        remove_unfinished(folder, manifest)
        begin_building(folder, {"rewrite": job})
    index = IndexReader.open(folder)
    parts = list(_parts(index, shard_rows))
    total, done = sum(len(part.rows) for part in parts), 0
    shards = []
    for part in parts:
        record = part.record
        if record is None:
            record = _write(index, part, partial(advanced, progress, "compact", total, done))
            done += len(part.rows)
        shards.append({"name": part.name, **record})
    made = replace(manifest, generation=manifest.generation + 1, job=job, shards=tuple(shards))
    return write_manifest_with(folder, made, np.empty(0, np.int64))


def _parts(index: IndexReader, shard_rows: int) -> Iterator[_Part]:
    """The shards of the new index, in the order of rows."""
    number, dirty = index.manifest.next_shard, False
    waiting: list[tuple[str, dict[str, Any], Rows]] = []

    def flush() -> Iterator[_Part]:
        """Emit the collected shards: as they are, or, if some of their rows were deleted, the remaining rows in new
        shards."""
        nonlocal number
        if not dirty:
            for name, record, _ in waiting:
                yield _Part(name, record, np.empty(0, np.int64))
            return
        rows = np.concatenate([rows for _, _, rows in waiting])
        for start in range(0, len(rows), shard_rows):
            yield _Part(shard_name(number), None, rows[start : start + shard_rows])
            number += 1

    for shard, (name, record) in zip(index.shards, index.manifest.shard_records, strict=True):
        every = np.arange(shard.first, shard.first + shard.rows)
        left = np.setdiff1d(every, index.deleted, assume_unique=True)
        touched = len(left) < shard.rows
        if not touched and 2 * shard.rows >= shard_rows:
            yield from flush()
            yield _Part(name, record, np.empty(0, np.int64))
            waiting, dirty = [], False
        else:
            waiting.append((name, record, left))
            dirty = dirty or touched
    yield from flush()


def _write(index: IndexReader, part: _Part, tell: Callable[[int], None]) -> dict[str, Any]:
    """Write one new shard, resuming where it stopped; a sealed shard is complete."""
    sealed, manifest = index.folder / SHARDS / part.name, index.manifest
    begun = index.folder / BUILDING / part.name
    if not is_sealed(begun, sealed):
        words = any(index.shard_of(row).has_words for row in part.rows.tolist())
        writer = ShardWriter(begun, manifest.dimension, manifest.features, manifest.views, words=words)
        while writer.rows < len(part.rows):
            rows = part.rows[writer.rows : writer.rows + BLOCK]
            stored = [index.document(row) for row in rows.tolist()]
            encoded = Encoded(index.vectors(rows), _counts(stored))
            some = index.words(rows) if words else None
            writer.append([document_of(one) for one in stored], encoded, index.all_codes(rows), some)
            tell(writer.rows)
        return writer.seal(sealed)
    record: dict[str, Any] = json.loads((sealed / RECORD).read_text(encoding="utf-8"))
    tell(len(part.rows))
    return record


def document_of(stored: StoredDocument) -> Document:
    """A stored document in the form of a corpus document."""
    chunk = None
    if stored.parent is not None and stored.start is not None and stored.end is not None:
        chunk = ChunkPlace(stored.parent, stored.start, stored.end)
    fields = {"title": stored.title, "metadata": stored.metadata}
    return Document(stored.id, stored.text, stored.text, stored.id, fields, chunk)


def _counts(stored: list[StoredDocument]) -> Counts:
    read = [(one.read.unread, one.read.unknown, one.read.tokens) for one in stored]
    columns = np.array([[-1 if number is None else number for number in one] for one in read], np.int32)
    return Counts(*columns.T)


def clean(folder: Path, manifest: Manifest) -> None:
    """Remove what the manifest no longer names: shards and explainers with their companion files, old generations."""
    remove_unfinished(folder, manifest)
    remove_stale_rows(folder, manifest)  # left if a process is killed after replacing config.json
    for companion in companions():
        for path in companion.stale(folder, manifest):
            remove(path)
    end_building(folder)
