"""An 8-bit copy of the vectors. Scanning it takes a quarter of the time; the candidates are then rescored in fp32.

A row is stored as z~ = s c, c in -127 .. 127, s = max |z| / 127, with the length e = ||z - z~|| of the rounding error;
a query as q~ = round(S q) / S, S = 2^15 - 1, whose error is at most sqrt(m) / (2 S). By Cauchy-Schwarz

    |<q, z> - <q~, z~>| <= ||q|| ||z - z~|| + ||q - q~|| ||z~|| <= e + sqrt(m) / (2 S) (1 + e)        for unit vectors

so every score is between two bounds. Documents whose upper bound is below the k-th largest lower bound cannot be
among the best k; the others are rescored, so the result is that of the exact scan. Products are summed in 32-bit
integers, which cannot overflow: S ||q~|| ||c|| <= 2^15 * 127 sqrt(m) < 2^31 up to m = 260,000.
"""

from __future__ import annotations

import math
import os
import re
import threading
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....arrays import Float32
from ....errors import DamagedError
from ....extras import require
from ....files import write_bytes
from ....files.folders import sweep
from ...store.manifest import Manifest
from ...store.reader import IndexReader, Rows
from ...store.sealed import check_numbers, check_seal, write_seal
from ...store.shard import Shard
from ..mode import Ranked, best
from ..nearest import Engine, Made, deleted_in, exact_scores

FOLDER: Final = "scan"  # name of its folder
FILES: Final = re.compile(r"(\d{6,})\.(i8|f32|json)")
SCALE: Final = (1 << 15) - 1
BLOCK: Final = 1 << 13
MOST_HITS: Final = 1000  # with at most this many hits, scanning the copy is faster
_ALONE: Final = threading.Lock()


class Quantised(NamedTuple):
    """The 8-bit copy of a shard."""

    numbers: NDArray[np.int8]  # c [rows, m]
    scale: Float32  # s / S [rows]; an integer product times this is a score
    off: Float32  # error bound of each score [rows]


class QuantisedScan(Engine):
    """A scan of 8-bit copies, one for each shard."""

    def make(self, index: IndexReader) -> Made:
        """Make the missing copies."""
        folder = index.folder / FOLDER
        folder.mkdir(exist_ok=True)
        sweep(folder)
        total = 0
        for shard in index.shards:
            numbers, bounds, seal = paths = _paths(shard)
            if not all(path.is_file() for path in paths):
                blocks = [quantised(shard.vectors[start : start + BLOCK]) for start in range(0, shard.rows, BLOCK)]
                write_bytes(numbers, b"".join(block.numbers.tobytes() for block in blocks))
                both = np.stack([np.concatenate([block[part] for block in blocks]) for part in (1, 2)], axis=1)
                write_bytes(bounds, both.astype("<f4").tobytes())
                write_seal(seal, [numbers, bounds])  # last: a copy without a seal is not used
            total += numbers.stat().st_size + bounds.stat().st_size
        return Made(total, 1.0)

    def ready(self, index: IndexReader, k: int) -> bool:
        """Whether every shard has a copy, and numba is installed."""
        return k <= MOST_HITS and index.companion(open_copies) is not None

    def nearest(self, index: IndexReader, q: Float32, k: int) -> Ranked:
        """Candidates of every shard, scored in fp32."""
        rows, least, q16 = [], -np.inf, to_fixed(q)
        for shard, copy in zip(index.shards, index.companion(open_copies) or (), strict=True):
            found, least = _candidates(copy, deleted_in(index, shard), q16, k, least)
            rows.append(found + shard.first)
        every = np.concatenate(rows)
        return best(every, exact_scores(index, q, every), k)

    @classmethod
    def seals(cls, folder: Path) -> Iterable[Path]:
        """One seal for each shard."""
        return (path for path in _files(folder) if path.suffix == ".json")

    @classmethod
    def stale(cls, folder: Path, manifest: Manifest) -> Iterable[Path]:
        """Copies of shards that no longer exist."""
        return (path for path in _files(folder) if path.stem not in manifest.names)


ENGINE: Final = QuantisedScan()


def open_copies(index: IndexReader) -> list[Quantised] | None:
    """The memory-mapped copies of all shards; None if a copy or numba is missing.

    Raises:
        DamagedError: a copy was altered.
    """
    there = all(path.is_file() for shard in index.shards for path in _paths(shard))
    return [_open(shard) for shard in index.shards] if there and find_spec("numba") is not None else None


def _paths(shard: Shard) -> tuple[Path, Path, Path]:
    """The files of a shard's copy: numbers, scales with error bounds, seal."""
    stem = shard.folder.parent.parent / FOLDER / shard.folder.name
    return stem.with_suffix(".i8"), stem.with_suffix(".f32"), stem.with_suffix(".json")


def _files(folder: Path) -> list[Path]:
    home = folder / FOLDER
    return [path for path in sorted(home.iterdir()) if FILES.fullmatch(path.name)] if home.is_dir() else []


def _open(shard: Shard) -> Quantised:
    numbers, bounds, seal = _paths(shard)
    check_seal(seal, only=(".f32",))  # this file is small, and all bounds depend on it
    for path, size in ((numbers, shard.rows * shard.dimension), (bounds, 8 * shard.rows)):
        if path.stat().st_size != size:
            raise DamagedError(
                f"{path}: {path.stat().st_size:,} bytes instead of {size:,}; remove it and make it again"
            )
    both = np.fromfile(bounds, "<f4").reshape(shard.rows, 2)
    check_numbers(both, bounds)
    shard.note_mapped(numbers)
    mapped = np.asarray(np.memmap(numbers, np.int8, "r", shape=(shard.rows, shard.dimension)))
    return Quantised(mapped, both[:, 0].copy(), both[:, 1].copy())


def quantised(x: Float32) -> Quantised:
    """Unit vectors in 8 bits."""
    scale = np.abs(x).max(axis=1) / np.float32(127)
    numbers = np.rint(x / scale[:, None]).astype(np.int8)
    left = np.linalg.norm(x.astype(np.float64) - scale[:, None].astype(np.float64) * numbers, axis=1)
    query = math.sqrt(x.shape[1]) / (2 * SCALE)
    off = left * (1 + query) + query + 4e-6  # the last term covers the rounding of sums in fp32
    return Quantised(numbers, scale / np.float32(SCALE), off.astype(np.float32))


def to_fixed(q: Float32) -> NDArray[np.int16]:
    """A unit vector as 16-bit fixed point."""
    fixed: NDArray[np.int16] = np.rint(np.clip(q, -1, 1) * np.float32(SCALE)).astype(np.int16)
    return fixed


def _candidates(copy: Quantised, deleted: Rows, q16: NDArray[np.int16], k: int, least: float) -> tuple[Rows, float]:
    """Rows of a shard that may be among the best k, and the best lower bound of the k-th score so far.

    Args:
        q16: the query in fixed point.
        least: a score that at least k documents of other shards reach.
    """
    products = np.empty(len(copy.numbers), np.int32)
    with _ALONE:  # the compiled loop serves one thread at a time
        _scan()(copy.numbers, q16, products)
    scores = np.multiply(products, copy.scale, dtype=np.float32, casting="unsafe")
    high = scores + copy.off
    high[deleted] = -np.inf
    rows = np.flatnonzero(high >= least if np.isfinite(least) else np.isfinite(high))
    if len(rows) > k:
        lower = scores[rows] - copy.off[rows]
        least = max(least, float(np.partition(lower, len(lower) - k)[len(lower) - k]))
        rows = rows[high[rows] >= least]
    return rows, least


@cache
def _scan() -> Any:
    """The compiled loop over rows, on all processors."""
    numba = require("numba", "index")
    numba.set_num_threads(min(numba.config.NUMBA_NUM_THREADS, os.cpu_count() or 1))

    @numba.njit(parallel=True, cache=True)  # type: ignore[untyped-decorator]
    def scan(numbers: Any, q: Any, out: Any) -> None:
        rows, m = numbers.shape
        for four in numba.prange(rows // 4):  # four rows at once: twice as fast as one, because each row reads q again
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
