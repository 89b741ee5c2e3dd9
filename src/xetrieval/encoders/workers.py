"""Encoding on a CPU, several batches at a time, each by one thread.

PyTorch splits each product among its threads, and a thread that waits for the others spins. If another program needs a
core, two threads can be several times slower than one. With one thread per batch, no thread waits. On an idle machine,
batches are as fast as before, and a single query takes a few ms longer (benchmarks/encoding_threads.json).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, Final

import numpy as np

from ..arrays import Float32
from ..extras import require

_ONE_AT_A_TIME: Final = Lock()  # otherwise another caller would read a worker's setting as the process's own
Read = Callable[[list[str]], Any]  # texts -> vectors [n, m]


def read_side_by_side(read: Read, texts: Sequence[str], batch: int, *, at_once: int | None = None) -> Float32:
    """`read` of all texts, in batches of at most `batch` texts of about the same length.

    `at_once` batches are read in parallel; by default, one per PyTorch thread of this process (OMP_NUM_THREADS,
    torch.set_num_threads). PyTorch's setting is restored on return.

    Returns:
        vectors [n, m], in the order of `texts`.
    """
    torch = require("torch", "encoders")
    order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
    with _ONE_AT_A_TIME:
        threads = torch.get_num_threads()
        workers = at_once or threads
        size = max(1, min(batch, -(-len(texts) // workers)))
        rows = [order[start : start + size] for start in range(0, len(order), size)]
        try:
            with ThreadPoolExecutor(min(workers, len(rows)), initializer=lambda: torch.set_num_threads(1)) as pool:
                found = list(pool.map(lambda some: np.asarray(read([texts[row] for row in some]), np.float32), rows))
        finally:
            torch.set_num_threads(threads)  # the setting of a worker is also the default of later threads
    vectors = np.concatenate(found)
    out = np.empty_like(vectors)
    out[order] = vectors
    return out
