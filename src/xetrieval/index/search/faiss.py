"""faiss for large indexes: an inverted file over coarse cells, its candidates scored again in fp32.

What is found has its exact score; a document in a cell that was not looked at is missed. Recall against the exact scan
is measured when the file is made, on vectors of the index, and kept beside it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ...arrays import Float32
from ...errors import DamagedError, InputError
from ...extras import require
from ...files import alone, check_writable
from ...files.atomic import scratch_beside
from ...files.folders import LOCK
from ..store.sealed import check_ids, check_seal, write_seal
from .dense import Ranked, best, dense

if TYPE_CHECKING:
    from ..index import Index

FILES: Final = re.compile(r"faiss-\d{6,}\.(index|json)")
WORTH: Final = 200_000  # documents from which on a build makes it
OVERFETCH: Final = 4
PROBED: Final = 48  # cells looked at
TESTED: Final = 64  # queries that recall is measured on


def make_faiss(index: Index) -> dict[str, Any]:
    """Make the file for this generation; {cells, probed, bytes, recall_at_10}.

    Raises:
        MissingExtra: faiss is not installed. InputError: another process is writing there, or the index was changed
            since it was opened.
    """
    faiss = require("faiss", "faiss")
    check_writable(index.folder)
    with alone(index.folder / LOCK, f"{index.folder}: another process is writing there; wait for it to end"):
        if not index.is_current():
            raise InputError(f"{index.folder}: was changed since it was opened; open it again")
        return _make(index, faiss)


def _make(index: Index, faiss: Any) -> dict[str, Any]:
    rows, m = index.manifest.rows, index.manifest.dimension
    cells = int(min(4096, max(1, rows // 64, round(rows**0.5))))
    cells = min(cells, 1024) if rows < 4_000_000 else cells
    made = faiss.index_factory(m, f"IVF{cells},SQfp16", faiss.METRIC_INNER_PRODUCT)
    rng = np.random.default_rng(0)
    sample = np.sort(rng.choice(rows, min(rows, 64 * cells), replace=False))
    made.train(index.vectors(sample))
    for shard in index.shards:
        for start in range(0, shard.rows, 1 << 14):
            made.add(np.ascontiguousarray(shard.vectors[start : start + (1 << 14)]))
    made.nprobe = PROBED
    path = faiss_path(index)
    scratch = scratch_beside(path)
    try:
        faiss.write_index(made, str(scratch))
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    for old in sorted(index.folder.iterdir()):
        if FILES.fullmatch(old.name) and old.stem != path.stem:
            old.unlink()
    facts = {"cells": cells, "probed": PROBED, "bytes": path.stat().st_size, "recall_at_10": _recall(index, made, rng)}
    write_seal(path.with_suffix(".json"), [path], facts)
    return facts


def faiss_path(index: Index) -> Path:
    """The file of this generation."""
    return index.folder / f"faiss-{index.manifest.generation:06d}.index"


def has_faiss(index: Index) -> bool:
    """Whether there is a whole one: the record of its hash is written last."""
    path = faiss_path(index)
    return path.is_file() and path.with_suffix(".json").is_file()


def approximate(index: Index, q: Float32, k: int) -> Ranked:
    """Top k by faiss, with exact scores."""
    path = faiss_path(index)
    found = path.stat()
    opened = _open(path, (found.st_ino, found.st_mtime_ns, found.st_size))
    if opened.ntotal != index.manifest.rows or opened.d != index.manifest.dimension:
        raise DamagedError(f"{path}: of another index; remove it, or make it again")
    return _nearest(index, opened, q, k)


def _nearest(index: Index, opened: Any, q: Float32, k: int) -> Ranked:
    _, near = opened.search(q[None], OVERFETCH * k + len(index.deleted[:k]))
    rows = np.sort(near[0][near[0] >= 0]).astype(np.int64)
    check_ids(rows, index.manifest.rows, faiss_path(index))
    rows = np.setdiff1d(rows, index.deleted, assume_unique=True)
    return best(rows, (index.vectors(rows) @ q).astype(np.float64), k)


def _recall(index: Index, made: Any, rng: Any) -> float:
    """Share of the exact top 10 that it finds, for vectors of the index moved a little."""
    rows = rng.choice(index.manifest.rows, min(index.manifest.rows, TESTED), replace=False)
    z = index.vectors(np.sort(rows))
    noise = rng.standard_normal(z.shape).astype(np.float32)
    q = z + 0.5 * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    shares = [
        np.isin(dense(index, one, 10, None).rows, _nearest(index, made, one, 10).rows).mean()
        for one in q.astype(np.float32)
    ]
    return round(float(np.mean(shares)), 4)


@lru_cache(maxsize=4)
def _open(path: Path, _: tuple[int, ...]) -> Any:
    """The file, once its hash was found right: what faiss reads it believes. Opened anew when it was made anew."""
    faiss = require("faiss", "faiss")
    check_seal(path.with_suffix(".json"))
    try:
        opened = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
    except RuntimeError as error:
        raise DamagedError(f"{path}: faiss cannot read it ({str(error)[:120]}); remove it, or make it again") from error
    opened.nprobe = PROBED
    return opened
