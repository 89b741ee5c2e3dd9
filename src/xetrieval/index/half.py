"""A half-precision copy of the vectors: scanned in half the time, then the candidates are scored in fp32.

bfloat16 keeps 8 bits: |x - x~| <= 2^-8 |x| (2^-9 where rounded to nearest), so that by Cauchy-Schwarz

    |<q, z> - <q, z~>| <= 2^-9 ||q|| ||z|| = 2^-9        for unit vectors

Every document whose half-precision score lies within 2 * 2^-9 of the k-th largest is scored again, and only those can
be among the best k: the result is that of the exact scan.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..extras import require
from ..store import write_bytes

if TYPE_CHECKING:
    from .index import Index, Rows
    from .shard import Shard

FOLDER: Final = "half"
BOUND: Final = 2.0**-9 + 2e-6  # and what fp32 sums of 1,000 terms may be off
BLOCK: Final = 1 << 13
_ALONE: Final = threading.Lock()


def make_half(index: Index) -> int:
    """Write the copy of every shard that has none yet; bytes in all."""
    folder = index.folder / FOLDER
    folder.mkdir(exist_ok=True)
    total = 0
    for shard in index.shards:
        path = half_path(index.folder, shard)
        if not path.is_file() or path.stat().st_size != shard.rows * shard.dimension * 2:
            blocks = (shard.vectors[start : start + BLOCK] for start in range(0, shard.rows, BLOCK))
            write_bytes(path, b"".join(to_half(block).tobytes() for block in blocks))
        total += path.stat().st_size
    return total


def half_path(folder: Path, shard: Shard) -> Path:
    """Where a shard's copy lies."""
    return folder / FOLDER / f"{shard.folder.name}.bf16"


def has_half(index: Index) -> bool:
    """Whether every shard has its copy."""
    return all(half_path(index.folder, shard).is_file() for shard in index.shards)


def candidates(index: Index, shard: Shard, q: Float32, k: int, least: float) -> tuple[Rows, float]:
    """Rows of a shard that may be among the best k, and the k-th largest lower bound so far.

    Args:
        least: a score that k documents of other shards are known to have.
    """
    copy = np.memmap(half_path(index.folder, shard), "<u2", "r", shape=(shard.rows, shard.dimension))
    scores = np.empty(shard.rows, np.float32)
    with _ALONE:  # the compiled loop's threads serve one caller at a time
        _scan()(copy, q, scores)
    low, high = np.searchsorted(index.deleted, (shard.first, shard.first + shard.rows))
    scores[index.deleted[low:high] - shard.first] = -np.inf
    if shard.rows > k:
        least = max(least, float(np.partition(scores, shard.rows - k)[shard.rows - k]) - BOUND)
    return np.flatnonzero(scores >= least - BOUND), least


def to_half(x: Float32) -> NDArray[np.uint16]:
    """bfloat16 as 16-bit integers, rounded to nearest, ties to even."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    rounded = (bits + (np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))) >> np.uint32(16)
    return rounded.astype(np.uint16)


@cache
def _scan() -> Any:
    """The compiled loop over rows, on all processors."""
    numba = require("numba", "index")
    numba.set_num_threads(min(numba.config.NUMBA_NUM_THREADS, os.cpu_count() or 1))

    @numba.njit(parallel=True, fastmath=True, cache=True)  # type: ignore[untyped-decorator]
    def scan(half: Any, q: Any, out: Any) -> None:
        rows, m = half.shape
        for row in numba.prange(rows):
            total = np.float32(0)
            for j in range(m):
                total += q[j] * np.uint32(np.uint32(half[row, j]) << np.uint32(16)).view(np.float32)
            out[row] = total

    return scan
