"""Deleting documents from an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...files import digest_of
from ..store.layout import SHARDS, TEXTS
from ..store.manifest import read_index_manifest
from ..store.ours import abandon_compaction, check_finished, writing
from ..store.texts import Texts
from .pipeline import write_manifest_with


def delete_documents(folder: Path, ids: Sequence[str]) -> int:
    """Delete documents by id, with all their pieces; return how many documents are left.

    They are not found any more; their texts stay in the index's files until `compact_index`.

    Raises:
        InputError: an unknown id (then nothing is deleted), or an unfinished build.
    """
    read_index_manifest(folder)
    with writing(folder):
        manifest = read_index_manifest(folder)
        abandon_compaction(folder, manifest.names)
        check_finished(folder)
        gone = set(manifest.deleted(folder).tolist())
        rows: set[int] = set()
        shards = [
            (first, Texts(folder / SHARDS / name / TEXTS))
            for (name, _), first in zip(manifest.shards, manifest.firsts, strict=True)
        ]
        for identifier in ids:
            found = {first + row for first, texts in shards for row in texts.rows_of(identifier)} - gone
            if not found:
                raise InputError(f"{folder}: no document {identifier!r} in this index; nothing was deleted")
            rows |= found
        left = np.array(sorted(gone | rows), np.int64)
        job = digest_of([manifest.job, sorted(rows)])
        changed = replace(manifest, generation=manifest.generation + 1, job=job)
        return write_manifest_with(folder, changed, left).alive
