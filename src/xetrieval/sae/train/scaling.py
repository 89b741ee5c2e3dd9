"""The space an autoencoder is trained in, and the way back: x' = T (x - mu), folded into the saved weights.

    z = W'_e (x' - b') + b_e = W'_e T (x - b) + b_e,   x^ = mu + T^-1 (W' f + b') = T^-1 W' f + b,   b = mu + T^-1 b'

so both sides share one bias b. `none` and `mean` scale by one number, `whiten` by the inverse square root of the
covariance; each makes E ||x'||^2 = 1. Directions have unit norm, and the k largest are chosen, in the space of
training. After folding with none or mean, the columns of W are rescaled to unit norm (a common factor, moved into f);
after whitening they are not, because that would change which k are largest. Duplicates are measured by cosine in the
original space.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...arrays import Float32, Float64
from ...configs.sae import Centre
from ...errors import InputError

SMALLEST_FRACTION = 1e-4  # variances below this fraction of the mean are noise, which whitening does not amplify


class Scaling(NamedTuple):
    """x' = T (x - mu). T is a number or a symmetric matrix."""

    mean: Float64  # mu [m]
    forth: Float64  # T, [] or [m, m]
    back: Float64  # T^-1

    def apply(self, x: Float32) -> Float32:
        """Rows [n, m] in the training space."""
        centred = x - self.mean.astype(np.float32)
        if self.forth.ndim == 0:
            return np.asarray(centred * np.float32(self.forth), np.float32)
        return np.asarray(centred @ self.forth.astype(np.float32), np.float32)


def scaling_of(sample: Float32, centre: Centre) -> Scaling:
    """The scaling that makes E ||x'||^2 = 1 on `sample` [n, m].

    Raises:
        InputError: all rows are equal.
    """
    x = sample.astype(np.float64)
    mean = x.mean(axis=0)
    spread = ((x - mean) ** 2).sum(axis=1).mean()
    if spread <= 1e-12 * float((mean**2).sum()):
        raise InputError("autoencoder: all rows are equal, or nearly so; there is nothing to decompose")
    if centre == "whiten":
        values, vectors = np.linalg.eigh(np.cov(x, rowvar=False, bias=True))
        values = np.maximum(values, SMALLEST_FRACTION * values.mean())
        scale = 1.0 / np.sqrt(x.shape[1])
        forth = (vectors * (scale / np.sqrt(values))) @ vectors.T
        back = (vectors * (np.sqrt(values) / scale)) @ vectors.T
        return Scaling(mean, forth, back)
    if centre == "none":
        mean, spread = np.zeros_like(mean), (x**2).sum(axis=1).mean()
    factor = np.asarray(1.0 / np.sqrt(spread))
    return Scaling(mean, factor, 1.0 / factor)


def geometric_median(x: Float32, rounds: int = 100, tolerance: float = 1e-6) -> Float64:
    """The point with the smallest sum of distances to the rows of `x` [n, m] (Weiszfeld's algorithm)."""
    rows = x.astype(np.float64)
    guess = rows.mean(axis=0)
    for _ in range(rounds):
        weight = 1.0 / np.maximum(np.linalg.norm(rows - guess, axis=1), 1e-12)
        moved = weight @ rows / weight.sum()
        if np.linalg.norm(moved - guess) < tolerance:
            return np.asarray(moved)
        guess = moved
    return np.asarray(guess)
