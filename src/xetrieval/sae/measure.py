"""How well an autoencoder reconstructs, and how its features are used. One pass; memory does not grow with the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Float64, l2norm
from ..errors import InputError
from .codes import SparseCodes
from .model import SparseAutoencoder

BLOCK = 8192
DENSE = 0.1  # of all rows: a feature active on more says little
DUPLICATE = 0.9  # cosine of two directions, in the original space


class Measured:
    """Sums over rows that arrive in blocks."""

    def __init__(self, sae: SparseAutoencoder) -> None:
        self.sae, self.rows = sae, 0
        self.squared = self.cosine = self.active = 0.0
        self.near = np.zeros(sae.dimension)  # the first block's mean: sums around it lose nothing to a common offset
        self.norm = 0.0  # sum ||x - near||^2, and with `total` the spread around the mean of all rows
        self.total = np.zeros(sae.dimension)  # sum of x - near
        self.fired = np.zeros(sae.features, np.int64)

    def add(self, x: Float32) -> SparseCodes:
        """Rows [n, m]; their codes."""
        codes = self.sae.encode(x)
        back = self.sae.decode(codes)
        wide, back = x.astype(np.float64), back.astype(np.float64)
        if not self.rows and len(wide):
            self.near = wide.mean(axis=0)
        self.rows += len(x)
        self.squared += float(((wide - back) ** 2).sum())
        around = wide - self.near
        self.norm += float((around**2).sum())
        self.total += around.sum(axis=0)
        self.cosine += float(np.einsum("nm,nm->", l2norm(wide), l2norm(back)))
        live = codes.values > 0
        self.active += float(live.sum())
        self.fired += np.bincount(codes.features[live], minlength=self.sae.features)
        return codes

    @property
    def mean(self) -> Float64:
        """Of all rows so far, [m]."""
        return self.near + self.total / max(1, self.rows)

    def reconstruction(self) -> dict[str, float]:
        """fvu = sum ||x - x^||^2 / sum ||x - mean||^2, mse = mean ||x - x^||^2, mean cosine of x^ to x, l0.

        Of one row, or of equal ones, there is no variance: their fvu is NaN.
        """
        n = max(1, self.rows)
        spread = self.norm - float(self.total @ self.total) / n
        varied = spread > 1e-12 * n * float(self.near @ self.near)
        return {
            "fvu": self.squared / spread if varied else float("nan"),
            "mse": self.squared / n,
            "cosine": self.cosine / n,
            "l0": self.active / n,
        }

    def usage(self) -> dict[str, float]:
        """Shares of features: dead (silent on all rows), dense (active on over 10 %)."""
        return {
            "dead": float((self.fired == 0).mean()),
            "dense": float((self.fired > DENSE * self.rows).mean()),
        }


def reconstruction(sae: SparseAutoencoder, x: Float32) -> dict[str, float]:
    """fvu, mse, cosine and l0 of the rows of `x` [n, m]; see `Measured.reconstruction`."""
    return measured(sae, x).reconstruction()


def evaluate_sae(sae: SparseAutoencoder, vectors: Any) -> dict[str, float]:
    """All figures that need vectors alone: fvu, mse, cosine, l0, dead, dense, duplicates.

    Args:
        vectors: [n, m], or a `Stack`; may be memory-mapped.
    Raises:
        InputError: one row, or equal ones: no variance to explain.
    """
    found = measured(sae, vectors)
    if not np.isfinite(found.reconstruction()["fvu"]):
        raise InputError(f"{found.rows:,} rows, all equal or nearly so: there is no variance to explain; give others")
    return {**found.reconstruction(), **found.usage(), "duplicates": duplicate_fraction(sae)}


def measured(sae: SparseAutoencoder, vectors: Any) -> Measured:
    """The sums over all rows."""
    found = Measured(sae)
    for start in range(0, len(vectors), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(vectors)))
        x = vectors.take(rows) if hasattr(vectors, "parts") else vectors[start : start + BLOCK]
        found.add(np.asarray(x, np.float32))
    return found


def duplicate_fraction(sae: SparseAutoencoder) -> float:
    """Share of features whose direction has a cosine above 0.9 with another's, in the original space."""
    directions = sae.directions / np.maximum(np.linalg.norm(sae.directions, axis=1, keepdims=True), 1e-12)
    repeated: NDArray[np.bool_] = np.zeros(sae.features, bool)
    for start in range(0, sae.features, 1024):
        cosine = directions[start : start + 1024] @ directions.T
        cosine[np.arange(len(cosine)), start + np.arange(len(cosine))] = 0.0
        repeated[start : start + 1024] = (cosine > DUPLICATE).any(axis=1)
    return float(repeated.mean())
