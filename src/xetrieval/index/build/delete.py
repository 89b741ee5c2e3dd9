"""Deletes documents from an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...files import digest_of, path_of
from ..store.ids import open_ids
from ..store.manifest import read_index_manifest
from ..store.ours import abandon_rewrite, check_finished, writing
from .pipeline import write_manifest_with


def delete_documents(folder: Path, ids: Sequence[str]) -> int:
    """Delete documents by id, with all their chunks; return how many documents are left.

    They are no longer found, but their texts stay in the index's files until `compact_index` is called.

    Raises:
        InputError: an unknown id (then nothing is deleted), or an unfinished build.
    """
    folder = path_of(folder)
    read_index_manifest(folder)
    with writing(folder):
        manifest = read_index_manifest(folder)
        abandon_rewrite(folder, manifest)
        check_finished(folder)
        rows: set[int] = set()
        with open_ids(folder, manifest) as have:
            for identifier in ids:
                found = have.rows_of(identifier)
                if not found:
                    raise InputError(f"{folder}: no document {identifier!r} in this index; nothing was deleted")
                rows |= set(found)
            gone = np.union1d(have.deleted, sorted(rows)).astype(np.int64)
        job = digest_of([manifest.job, sorted(rows)])
        changed = replace(manifest, generation=manifest.generation + 1, job=job)
        return write_manifest_with(folder, changed, gone).alive
