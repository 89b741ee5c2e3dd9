"""Training rows for an autoencoder of reasoned embeddings: every vector with its views, on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..arrays import Matrix
from ..files.atomic import naming
from ..internalizer import Internalizer
from ..progress import Progress, silent
from ..views import View, in_order

BLOCK = 8192


def reasoned_rows(
    vectors: Matrix, internalizers: Mapping[View, Internalizer], path: Path, progress: Progress = silent
) -> NDArray[np.float16]:
    """z and R_t(z) of every row, [n, 1 + views, m] in half precision, memory-mapped from `path`.

    An existing file is reused unchecked, so its name must reflect everything that its rows depend on.
    """
    nets = [internalizers[aspect] for aspect in in_order(internalizers)]
    if not path.is_file():
        partial = path.with_suffix(".partial")
        shape = (len(vectors), 1 + len(nets), vectors.shape[1])
        with naming(partial), partial.open("wb") as file:  # not mapped: a full disk would kill the process
            header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float16)), "fortran_order": False}
            np.lib.format.write_array_header_1_0(file, {**header, "shape": shape})
            for start in range(0, len(vectors), BLOCK):
                z = np.asarray(vectors[start : start + BLOCK], np.float32)
                file.write(np.stack([z, *(net(z) for net in nets)], axis=1).astype(np.float16).tobytes())
                progress("views", min(start + BLOCK, len(vectors)), len(vectors), "")
        partial.rename(path)
    rows: NDArray[np.float16] = np.load(path, mmap_mode="r")
    return rows
