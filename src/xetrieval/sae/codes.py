"""Sparse codes, stored as the active features of each row, never as dense rows of F."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, IntArray


class SparseCodes(NamedTuple):
    """c = g(x) for n rows. A slot with value 0 is empty: its feature is not active. Features in a row are distinct."""

    features: IntArray  # [n, k] feature ids, in no particular order
    values: Float32  # [n, k] activations, >= 0

    def __repr__(self) -> str:
        return f"SparseCodes({len(self):,} rows, {self.features.shape[-1]} places each)"

    def __len__(self) -> int:  # rows, not the tuple's two fields
        return int(self.features.shape[0])

    def rows(self, index: slice | NDArray[np.integer[Any]]) -> SparseCodes:
        """The codes of some rows."""
        return SparseCodes(self.features[index], self.values[index])

    def support(self, row: int, threshold: float = 0.0) -> IntArray:
        """supp(c) = { j : c_j > threshold } of one row, sorted."""
        return np.sort(self.features[row][self.values[row] > threshold])

    def dense(self, features: int) -> Float32:
        """As a dense matrix [n, features]; for tests and small inputs only."""
        out = np.zeros((self.features.shape[0], features), dtype=np.float32)
        np.put_along_axis(out, self.features, self.values, axis=1)
        return out

    @classmethod
    def of_ragged(cls, counts: NDArray[np.int64], features: IntArray, values: Float32) -> SparseCodes:
        """Codes from rows of different lengths, one after the other, padded to [n, longest].

        Empty slots get the smallest ids not in the row, so fewer than `longest` ids are skipped.
        """
        n, width = len(counts), int(counts.max(initial=1)) or 1
        row = np.repeat(np.arange(n), counts)
        slot = np.arange(len(features)) - np.repeat(np.cumsum(counts) - counts, counts)
        out = cls(np.empty((n, width), np.int32), np.zeros((n, width), np.float32))
        free = np.ones((n, width), bool)
        low = features < width
        free[row[low], features[low]] = False
        empty = np.arange(width) >= counts[:, None]
        nth = np.cumsum(free, axis=1)
        taken = free & (nth <= (width - counts)[:, None])
        out.features[empty] = np.nonzero(taken)[1]
        out.features[row, slot], out.values[row, slot] = features, values
        return out
