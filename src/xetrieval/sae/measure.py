"""Measures how well an autoencoder reconstructs, and how its features are used.

Everything is measured in one pass; memory does not grow with the number of rows.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Float64, Matrix, l2norm
from ..errors import InputError
from .codes import SparseCodes
from .model import SparseAutoencoder
from .stack import Stack

BLOCK: Final = 8192
DENSE: Final = 0.1  # a feature active on more than this fraction of the rows is uninformative
DUPLICATE: Final = 0.9  # cosine of two directions, in the original space


class Reconstruction(NamedTuple):
    """How close decoded rows are to the originals.

    Attributes:
        fvu: fraction of variance unexplained, sum ||x - x^||^2 / sum ||x - mean||^2; NaN if the rows are equal.
        mse: mean ||x - x^||^2.
        cosine: mean cosine of x^ to x.
        l0: mean number of active features.
    """

    fvu: float
    mse: float
    cosine: float
    l0: float

    def on_card(self) -> dict[str, float]:
        """The figures on a model card; without FVU if it is NaN."""
        return {key: value for key, value in self._asdict().items() if key != "mse" and not np.isnan(value)}


class Activity:
    """On how many rows each feature is active."""

    def __init__(self, features: int) -> None:
        self.rows = 0
        self.active = np.zeros(features, np.int64)

    def add(self, codes: SparseCodes) -> None:
        """Count the codes of more rows."""
        self.rows += len(codes)
        self.active += np.bincount(codes.features[codes.values > 0], minlength=len(self.active))

    @property
    def dead(self) -> float:
        """Fraction of the features that are active on no row."""
        return float((self.active == 0).mean())

    @property
    def dense(self) -> float:
        """Fraction of the features that are active on more than 10 % of the rows."""
        return float((self.active > DENSE * self.rows).mean())


class Measured:
    """Sums over rows that are added in blocks."""

    def __init__(self, sae: SparseAutoencoder) -> None:
        self.sae, self.activity = sae, Activity(sae.features)
        self.squared = self.cosine = self.active = 0.0
        self.origin = np.zeros(sae.dimension)  # the first block's mean; sums around it keep their precision
        self.norm = 0.0  # sum ||x - origin||^2; with `total`, the spread around the mean of all rows
        self.total = np.zeros(sae.dimension)  # sum of x - origin

    def add(self, x: Float32, codes: SparseCodes | None = None) -> SparseCodes:
        """Add rows [n, m] with their codes, and return the codes."""
        codes = self.sae.encode(x) if codes is None else codes
        wide, back = x.astype(np.float64), self.sae.decode(codes).astype(np.float64)
        if not self.rows and len(wide):
            self.origin = wide.mean(axis=0)
        self.squared += float(((wide - back) ** 2).sum())
        around = wide - self.origin
        self.norm += float((around**2).sum())
        self.total += around.sum(axis=0)
        self.cosine += float(np.einsum("nm,nm->", l2norm(wide), l2norm(back)))
        self.active += float((codes.values > 0).sum())
        self.activity.add(codes)
        return codes

    @property
    def rows(self) -> int:
        """How many rows were added."""
        return self.activity.rows

    @property
    def mean(self) -> Float64:
        """The mean of all rows so far, [m]."""
        return self.origin + self.total / max(1, self.rows)

    def reconstruction(self) -> Reconstruction:
        """The metrics of all rows so far."""
        n = max(1, self.rows)
        spread = self.norm - float(self.total @ self.total) / n
        varied = spread > 1e-12 * n * float(self.origin @ self.origin)
        fvu = self.squared / spread if varied else float("nan")
        return Reconstruction(fvu, self.squared / n, self.cosine / n, self.active / n)


def reconstruction(sae: SparseAutoencoder, x: Float32) -> Reconstruction:
    """The reconstruction of the rows of `x` [n, m]."""
    return measured(sae, x, bulk=False).reconstruction()


class SaeMetrics(NamedTuple):
    """All metrics of an autoencoder that need only vectors; see `Reconstruction` and `Activity`."""

    rows: int
    fvu: float
    mse: float
    cosine: float
    l0: float
    dead: float
    dense: float
    duplicates: float  # see `duplicate_fraction`


def evaluate_sae(sae: SparseAutoencoder, vectors: Matrix | Stack) -> SaeMetrics:
    """Measure an autoencoder on vectors [n, m]; they may be memory-mapped.

    Raises:
        InputError: fewer than two distinct rows, so there is no variance to explain.
    """
    found = measured(sae, vectors)
    metrics = found.reconstruction()
    if not np.isfinite(metrics.fvu):
        raise InputError(
            f"{found.rows:,} rows, all equal or nearly so: there is no variance to explain; give other vectors"
        )
    return SaeMetrics(found.rows, *metrics, found.activity.dead, found.activity.dense, duplicate_fraction(sae))


def measured(sae: SparseAutoencoder, vectors: Matrix | Stack, *, bulk: bool = True) -> Measured:
    """The sums over all rows; `bulk` as in `SparseAutoencoder.encode`."""
    found = Measured(sae)
    stack = vectors if isinstance(vectors, Stack) else Stack([vectors])
    for start in range(0, len(stack), BLOCK):
        x = stack.take(np.arange(start, min(start + BLOCK, len(stack))))
        found.add(x, sae.encode(x, bulk=bulk))
    return found


def duplicate_fraction(sae: SparseAutoencoder) -> float:
    """Fraction of the features whose direction has a cosine above 0.9 with another, in the original space."""
    directions = sae.directions / np.maximum(np.linalg.norm(sae.directions, axis=1, keepdims=True), 1e-12)
    repeated: NDArray[np.bool_] = np.zeros(sae.features, bool)
    for start in range(0, sae.features, 1024):
        cosine = directions[start : start + 1024] @ directions.T
        cosine[np.arange(len(cosine)), start + np.arange(len(cosine))] = 0.0
        repeated[start : start + 1024] = (cosine > DUPLICATE).any(axis=1)
    return float(repeated.mean())
