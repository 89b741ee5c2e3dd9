"""faiss for large indexes: an inverted file of coarse cells, whose candidates are rescored in fp32.

All hits have exact scores, but documents in cells that are not probed are missed. When the file is made, recall against
an exact scan is measured on vectors of the index and recorded beside the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from ....arrays import Float32
from ....errors import DamagedError, InputError
from ....extras import require
from ....files.scratch import scratch
from ....text import clip
from ...store.manifest import Manifest
from ...store.reader import IndexReader
from ...store.sealed import check_ids, check_seal, write_seal
from ..mode import Ranked, best, by_generation
from ..nearest import Engine, Made, exact_scores, nearest

FILES: Final = re.compile(r"faiss-(\d{6,})\.(index|json)")
OVERFETCH: Final = 4
PROBED: Final = 48  # cells that a query searches
TESTED: Final = 64  # queries for measuring recall


class Faiss(Engine):
    """An inverted file made by faiss."""

    def make(self, index: IndexReader) -> Made:
        """Write the file of this generation and remove older ones."""
        faiss = require("faiss", "faiss")
        rows, m = index.manifest.rows, index.manifest.dimension
        cells = int(min(4096 if rows >= 4_000_000 else 1024, max(1, rows // 64, round(rows**0.5))))
        made = faiss.index_factory(m, f"IVF{cells},SQfp16", faiss.METRIC_INNER_PRODUCT)
        rng = np.random.default_rng(0)
        sample = np.sort(rng.choice(rows, min(rows, 64 * cells), replace=False))
        made.cp.min_points_per_centroid = 1  # faiss warns below 39 points per cell
        made.train(index.vectors(sample))
        for shard in index.shards:
            for start in range(0, shard.rows, 1 << 14):
                made.add(np.ascontiguousarray(shard.vectors[start : start + (1 << 14)]))
        made.nprobe = PROBED
        path = _path(index)
        with scratch(path) as unfinished:
            try:
                faiss.write_index(made, str(unfinished))
            except RuntimeError as error:
                reason = re.split(r"[:(]", str(error))[-1].strip(" )")  # of the system, at the end
                raise InputError(f"{path}: faiss cannot write it ({clip(reason, 80)})") from error
            unfinished.replace(path)
        for old in self.stale(index.folder, index.manifest):
            old.unlink()
        bytes_written, recall = path.stat().st_size, _recall(index, made, rng)
        facts = {"cells": cells, "probed": PROBED, "bytes": bytes_written, "recall_at_10": recall}
        write_seal(path.with_suffix(".json"), [path], facts)  # last: a file without a seal is not used
        return Made(bytes_written, recall)

    def ready(self, index: IndexReader, k: int) -> bool:
        """Whether this generation has a complete file."""
        path = _path(index)
        return path.is_file() and path.with_suffix(".json").is_file()

    def nearest(self, index: IndexReader, q: Float32, k: int) -> Ranked:
        """Candidates of the probed cells, scored in fp32."""
        path = _path(index)
        status = path.stat()
        opened = _open(path, (status.st_ino, status.st_mtime_ns, status.st_size))
        if opened.ntotal != index.manifest.rows or opened.d != index.manifest.dimension:
            raise DamagedError(f"{path}: belongs to a different index; remove it, or make it again")
        return _nearest(index, opened, q, k)

    @classmethod
    def seals(cls, folder: Path) -> Iterable[Path]:
        """One seal for each generation that has a file."""
        return (path for path in by_generation(folder, FILES) if path.suffix == ".json")

    @classmethod
    def stale(cls, folder: Path, manifest: Manifest) -> Iterable[Path]:
        """Files of other generations."""
        return (path for path, number in by_generation(folder, FILES).items() if number != manifest.generation)


ENGINE: Final = Faiss()


def _path(index: IndexReader) -> Path:
    return index.folder / f"faiss-{index.manifest.generation:06d}.index"


def _nearest(index: IndexReader, opened: Any, q: Float32, k: int) -> Ranked:
    _, near = opened.search(q[None], OVERFETCH * k + len(index.deleted[:k]))
    rows = np.sort(near[0][near[0] >= 0]).astype(np.int64)
    check_ids(rows, index.manifest.rows, _path(index))
    rows = np.setdiff1d(rows, index.deleted, assume_unique=True)
    return best(rows, exact_scores(index, q, rows), k)


def _recall(index: IndexReader, made: Any, rng: np.random.Generator) -> float:
    """The fraction of the exact top 10 that it finds, for slightly perturbed vectors of the index."""
    rows = rng.choice(index.manifest.rows, min(index.manifest.rows, TESTED), replace=False)
    z = index.vectors(np.sort(rows))
    noise = rng.standard_normal(z.shape).astype(np.float32)
    q = z + 0.5 * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    fractions = [
        np.isin(nearest(index, one, 10).rows, _nearest(index, made, one, 10).rows).mean()
        for one in q.astype(np.float32)
    ]
    return round(float(np.mean(fractions)), 4)


@lru_cache(maxsize=4)
def _open(path: Path, _: tuple[int, ...]) -> Any:
    """Open the file after checking its hash, because faiss trusts what it reads. A replaced file is opened again."""
    faiss = require("faiss", "faiss")
    check_seal(path.with_suffix(".json"))
    try:
        opened = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
    except RuntimeError as error:
        raise DamagedError(f"{path}: faiss cannot read it ({str(error)[:120]}); remove it, or make it again") from error
    opened.nprobe = PROBED
    return opened
