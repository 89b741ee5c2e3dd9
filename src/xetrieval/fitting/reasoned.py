"""What an autoencoder of reasoned embeddings learns from: every vector with its views, on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..arrays import Matrix
from ..internalizer import Internalizer
from ..progress import Progress, silent
from ..views import View, in_order

BLOCK = 8192


def reasoned_rows(
    vectors: Matrix, internalizers: Mapping[View, Internalizer], path: Path, progress: Progress = silent
) -> NDArray[np.float16]:
    """z and R_t(z) of every row, [n, 1 + views, m] in half precision, memory-mapped from `path`.

    An existing file is used as it is: name it after everything that its rows depend on.
    """
    nets = [internalizers[aspect] for aspect in in_order(internalizers)]
    if not path.is_file():
        partial = path.with_suffix(".partial")
        shape = (len(vectors), 1 + len(nets), vectors.shape[1])
        out = np.lib.format.open_memmap(partial, mode="w+", dtype=np.float16, shape=shape)
        for start in range(0, len(vectors), BLOCK):
            z = np.asarray(vectors[start : start + BLOCK], np.float32)
            out[start : start + BLOCK, 0] = z
            for view, net in enumerate(nets, 1):
                out[start : start + BLOCK, view] = net(z)
            progress("views", min(start + BLOCK, len(vectors)), len(vectors), "")
        out.flush()
        partial.rename(path)
    rows: NDArray[np.float16] = np.load(path, mmap_mode="r")
    return rows
