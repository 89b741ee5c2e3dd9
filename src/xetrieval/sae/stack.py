"""Several matrices of vectors, read as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Matrix, in_range
from ..errors import InputError

CHECKED: Final = 1 << 13  # rows read at once


class Stack:
    """Several matrices [n_i, m], read as one; they may be memory-mapped and are never copied as a whole.

    Raises:
        InputError: no matrix, or dimensions that differ.
    """

    def __init__(self, parts: Sequence[Matrix], names: Sequence[str] | None = None) -> None:
        names = names or [f"matrix {place}" for place in range(len(parts))]
        if not parts:
            raise InputError("autoencoder: no vectors to train on")
        for part, name in zip(parts, names, strict=True):
            if part.ndim != 2:
                raise InputError(f"{name}: expected shape [n, m], got {list(part.shape)}")
            if part.shape[1] != parts[0].shape[1]:
                raise InputError(f"{name}: dimension is {part.shape[1]}, {names[0]} has {parts[0].shape[1]}")
        self.parts = list(parts)
        self.starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
        self.shape = (int(self.starts[-1]), int(parts[0].shape[1]))

    def __len__(self) -> int:
        return self.shape[0]

    def take(self, rows: NDArray[np.int64]) -> Float32:
        """Rows [n, m] in float32 in the order of `rows`, read in ascending order; see `in_range`."""
        order = np.argsort(rows, kind="stable")
        ascending = rows[order]
        out = np.empty((len(rows), self.shape[1]), np.float32)
        cuts = np.searchsorted(ascending, self.starts)
        for part, start, low, high in zip(self.parts, self.starts, cuts, cuts[1:], strict=False):
            for first in range(low, high, CHECKED):  # in parts, to avoid copying a large window twice
                last = min(first + CHECKED, high)
                out[order[first:last]] = in_range(part[ascending[first:last] - start])
        return out
