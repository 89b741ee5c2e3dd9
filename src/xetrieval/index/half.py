"""A 16-bit copy of the vectors: scanned in half the time, then the candidates are scored in fp32.

Unit vectors lie between -1 and 1, so fixed point suits them better than bfloat16: x~ = round(S x) / S with S = 2^15 - 1
is off by at most 1 / (2 S) in each of m places. With q rounded likewise, by Cauchy-Schwarz,

    |<q, z> - <q~, z~>| <= ||q - q~|| ||z|| + ||q~|| ||z - z~|| <= sqrt(m) / S          6e-4 for m = 384

Every document whose 16-bit score lies within twice that of the k-th largest is scored again, and only those can be
among the best k: the result is that of the exact scan. Products are summed in 32-bit integers, and cannot overflow:
S^2 <q~, z~> and every partial sum of it stay below 2^31.
"""

from __future__ import annotations

import math
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
SCALE: Final = (1 << 15) - 1
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
    return folder / FOLDER / f"{shard.folder.name}.i16"


def has_half(index: Index) -> bool:
    """Whether every shard has its copy."""
    return all(half_path(index.folder, shard).is_file() for shard in index.shards)


def bound(dimension: int) -> float:
    """How far a 16-bit score may be from the exact one, and what fp32 sums may be off."""
    return math.sqrt(dimension) / SCALE * 1.001 + 2e-6


def candidates(index: Index, shard: Shard, q16: NDArray[np.int16], k: int, least: float) -> tuple[Rows, float]:
    """Rows of a shard that may be among the best k, and the best lower bound of the k-th score so far.

    Args:
        q16: the query in fixed point.
        least: a score that k documents of other shards are known to have.
    """
    scores = np.empty(shard.rows, np.int32)
    with _ALONE:  # the compiled loop's threads serve one caller at a time
        _scan()(shard.half, q16, scores)
    low, high = np.searchsorted(index.deleted, (shard.first, shard.first + shard.rows))
    scores[index.deleted[low:high] - shard.first] = np.iinfo(np.int32).min
    off = bound(shard.dimension)
    found = np.flatnonzero(scores >= max((least - off) * SCALE * SCALE, -2.0 * SCALE * SCALE + 1))
    if len(found) > k:
        kept = scores[found] / float(SCALE * SCALE)
        least = max(least, float(np.partition(kept, len(kept) - k)[len(kept) - k]) - off)
        found = found[kept >= least - off]
    return found, least


def to_half(x: Float32) -> NDArray[np.int16]:
    """Unit vectors as 16-bit fixed point."""
    fixed: NDArray[np.int16] = np.rint(np.clip(x, -1, 1) * np.float32(SCALE)).astype(np.int16)
    return fixed


@cache
def _scan() -> Any:
    """The compiled loop over rows, on all processors."""
    numba = require("numba", "index")
    numba.set_num_threads(min(numba.config.NUMBA_NUM_THREADS, os.cpu_count() or 1))

    @numba.njit(parallel=True, cache=True)  # type: ignore[untyped-decorator]
    def scan(half: Any, q: Any, out: Any) -> None:
        rows, m = half.shape
        for row in numba.prange(rows):
            total = np.int32(0)
            for j in range(m):  # products of 16 bits summed in 32: one instruction for sixteen of them or more
                total = np.int32(total + np.int32(half[row, j]) * np.int32(q[j]))
            out[row] = total

    return scan
