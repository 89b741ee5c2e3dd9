"""An 8-bit copy of the vectors: scanned in a quarter of the time, then the candidates are scored in fp32.

A row is kept as z~ = s c, c in -127 .. 127, s = max |z| / 127, with the length e = ||z - z~|| of what that leaves out;
a query as q~ = round(S q) / S, S = 2^15 - 1, which is off by at most sqrt(m) / (2 S). By Cauchy-Schwarz

    |<q, z> - <q~, z~>| <= ||q|| ||z - z~|| + ||q - q~|| ||z~|| <= e + sqrt(m) / (2 S) (1 + e)        for unit vectors

so that every score lies between two bounds. Documents whose upper bound is below the k-th largest lower bound cannot be
among the best k; the others are scored again: the result is that of the exact scan. Products are summed in 32-bit
integers, which cannot overflow: S ||q~|| ||c|| <= 2^15 * 127 sqrt(m) < 2^31 up to m = 260,000.
"""

from __future__ import annotations

import math
import os
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32
from ...errors import DamagedError
from ...extras import require
from ...files import alone, write_bytes
from ...files.folders import LOCK, sweep
from ..store.sealed import check_numbers, check_seal, write_seal

if TYPE_CHECKING:
    from ..index import Index, Rows
    from ..store.shard import Shard

FOLDER: Final = "scan"
SCALE: Final = (1 << 15) - 1
BLOCK: Final = 1 << 13
_ALONE: Final = threading.Lock()


class Coarse(NamedTuple):
    """The 8-bit copy of a shard."""

    numbers: NDArray[np.int8]  # c [rows, m]
    scale: Float32  # s / S [rows], so that a product of integers times it is a score
    off: Float32  # how far each score may be from the exact one [rows]


def make_coarse(index: Index) -> int:
    """Write the copy of every shard that has none yet; bytes in all."""
    with alone(index.folder / LOCK, f"{index.folder}: another process is writing there; wait for it to end"):
        return _make(index)


def _make(index: Index) -> int:
    folder = index.folder / FOLDER
    folder.mkdir(exist_ok=True)
    sweep(folder)
    total = 0
    for shard in index.shards:
        paths = coarse_paths(index.folder, shard)
        if not all(path.is_file() for path in (*paths, seal_of(paths))):
            blocks = [to_coarse(shard.vectors[start : start + BLOCK]) for start in range(0, shard.rows, BLOCK)]
            write_bytes(paths[0], b"".join(block.numbers.tobytes() for block in blocks))
            both = np.stack([np.concatenate([block[part] for block in blocks]) for part in (1, 2)], axis=1)
            write_bytes(paths[1], both.astype("<f4").tobytes())
            write_seal(seal_of(paths), list(paths))
        total += sum(path.stat().st_size for path in paths)
    return total


def coarse_paths(folder: Path, shard: Shard) -> tuple[Path, Path]:
    """Where a shard's copy lies: numbers, and scale with how far off."""
    return tuple(folder / FOLDER / f"{shard.folder.name}.{ending}" for ending in ("i8", "f32"))  # type: ignore[return-value]


def has_coarse(index: Index) -> bool:
    """Whether every shard has its copy."""
    return all(
        path.is_file()
        for shard in index.shards
        for paths in [coarse_paths(index.folder, shard)]
        for path in (*paths, seal_of(paths))
    )


def seal_of(paths: tuple[Path, Path]) -> Path:
    """The record of a copy's hashes; written last, so that a copy without one is not whole."""
    return paths[0].with_suffix(".json")


def open_coarse(shard: Shard) -> Coarse:
    """A shard's copy, memory-mapped.

    Raises:
        DamagedError: it is not what was made.
    """
    numbers, rest = coarse_paths(shard.folder.parent.parent, shard)
    check_seal(seal_of((numbers, rest)), only=(".f32",))  # the bounds of every score hang on it, and it is small
    for path, size in ((numbers, shard.rows * shard.dimension), (rest, 8 * shard.rows)):
        if path.stat().st_size != size:
            raise DamagedError(f"{path}: {path.stat().st_size:,} bytes instead of {size:,}; remove it, make it again")
    both = np.fromfile(rest, "<f4").reshape(shard.rows, 2)
    check_numbers(both, rest)
    shard.note_mapped(numbers)
    mapped = np.asarray(np.memmap(numbers, np.int8, "r", shape=(shard.rows, shard.dimension)))
    return Coarse(mapped, both[:, 0].copy(), both[:, 1].copy())


def to_coarse(x: Float32) -> Coarse:
    """Unit vectors in 8 bits."""
    scale = np.abs(x).max(axis=1) / np.float32(127)
    numbers = np.rint(x / scale[:, None]).astype(np.int8)
    left = np.linalg.norm(x.astype(np.float64) - scale[:, None].astype(np.float64) * numbers, axis=1)
    query = math.sqrt(x.shape[1]) / (2 * SCALE)
    off = left * (1 + query) + query + 4e-6  # the last is what sums in fp32 may be off
    return Coarse(numbers, scale / np.float32(SCALE), off.astype(np.float32))


def to_fixed(q: Float32) -> NDArray[np.int16]:
    """A unit vector as 16-bit fixed point."""
    fixed: NDArray[np.int16] = np.rint(np.clip(q, -1, 1) * np.float32(SCALE)).astype(np.int16)
    return fixed


def candidates(index: Index, shard: Shard, q16: NDArray[np.int16], k: int, least: float) -> tuple[Rows, float]:
    """Rows of a shard that may be among the best k, and the best lower bound of the k-th score so far.

    Args:
        q16: the query in fixed point.
        least: a score that k documents of other shards are known to have.
    """
    copy = shard.coarse
    products = np.empty(shard.rows, np.int32)
    with _ALONE:  # the compiled loop's threads serve one caller at a time
        _scan()(copy.numbers, q16, products)
    scores = np.multiply(products, copy.scale, dtype=np.float32, casting="unsafe")
    high = scores + copy.off
    low, up = np.searchsorted(index.deleted, (shard.first, shard.first + shard.rows))
    high[index.deleted[low:up] - shard.first] = -np.inf
    found = np.flatnonzero(high >= least if np.isfinite(least) else np.isfinite(high))
    if len(found) > k:
        lower = scores[found] - copy.off[found]
        least = max(least, float(np.partition(lower, len(lower) - k)[len(lower) - k]))
        found = found[high[found] >= least]
    return found, least


@cache
def _scan() -> Any:
    """The compiled loop over rows, on all processors."""
    numba = require("numba", "index")
    numba.set_num_threads(min(numba.config.NUMBA_NUM_THREADS, os.cpu_count() or 1))

    @numba.njit(parallel=True, cache=True)  # type: ignore[untyped-decorator]
    def scan(numbers: Any, q: Any, out: Any) -> None:
        rows, m = numbers.shape
        for four in numba.prange(rows // 4):  # four rows at once: twice as fast as one, for each reads q anew
            i = 4 * four
            t0 = t1 = t2 = t3 = np.int32(0)
            for j in range(m):
                w = np.int32(q[j])
                t0 = np.int32(t0 + np.int32(numbers[i, j]) * w)
                t1 = np.int32(t1 + np.int32(numbers[i + 1, j]) * w)
                t2 = np.int32(t2 + np.int32(numbers[i + 2, j]) * w)
                t3 = np.int32(t3 + np.int32(numbers[i + 3, j]) * w)
            out[i], out[i + 1], out[i + 2], out[i + 3] = t0, t1, t2, t3
        for i in range(rows - rows % 4, rows):
            t0 = np.int32(0)
            for j in range(m):
                t0 = np.int32(t0 + np.int32(numbers[i, j]) * np.int32(q[j]))
            out[i] = t0

    return scan
