"""Sparse codes, kept sparse: the k kept features of each row, never a dense row of F."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Ids


class SparseCodes(NamedTuple):
    """c = g(x) for n rows. A slot with value 0 is empty: its feature is not active."""

    features: Ids  # [n, k] feature ids, in no particular order
    values: Float32  # [n, k] activations, >= 0

    def __len__(self) -> int:  # rows, not the tuple's two fields
        return int(self.features.shape[0])

    def rows(self, index: slice | NDArray[np.integer[Any]]) -> SparseCodes:
        """The codes of some rows."""
        return SparseCodes(self.features[index], self.values[index])

    def support(self, row: int, threshold: float = 0.0) -> Ids:
        """supp(c) = { j : c_j > threshold } of one row, sorted."""
        return np.sort(self.features[row][self.values[row] > threshold])

    def dense(self, features: int) -> Float32:
        """[n, features] with zeros; for tests and small inputs only."""
        out = np.zeros((self.features.shape[0], features), dtype=np.float32)
        np.put_along_axis(out, self.features, self.values, axis=1)
        return out
