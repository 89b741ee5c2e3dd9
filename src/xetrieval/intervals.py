"""Confidence intervals of measurements."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .arrays import Float64


class Estimate(NamedTuple):
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float

    def rounded(self, digits: int) -> Estimate:
        """The same, rounded."""
        return Estimate(*(round(value, digits) for value in self))

    def fields(self, name: str) -> dict[str, Any]:
        """As two fields of a result: `name`, the mean, and `name_ci`, the interval; four decimals."""
        mean, low, high = self.rounded(4)
        return {name: mean, f"{name}_ci": (low, high)}


def wilson(proportion: float, trials: float) -> tuple[float, float]:
    """Wilson 95 % interval for a proportion observed over `trials` trials."""
    if not trials:
        return 0.0, 1.0
    z = 1.96
    middle = (proportion + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(proportion * (1 - proportion) / trials + z * z / (4 * trials**2)) / (1 + z * z / trials)
    return max(0.0, middle - half), min(1.0, middle + half)


def cluster_bootstrap(values: Float64, cluster: NDArray[np.int64], resamples: int, seed: int) -> Estimate:
    """Mean and 95 % interval, resampling whole clusters (the pairs of a query) instead of single values."""
    _, place = np.unique(cluster, return_inverse=True)
    sums, counts = np.bincount(place, weights=values), np.bincount(place)
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(sums), size=(resamples, len(sums)))
    means = sums[draws].sum(1) / counts[draws].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(float(values.mean()), float(low), float(high))


def bootstrap(values: Float64, resamples: int = 1000, seed: int = 0) -> Estimate:
    """Mean and 95 % interval of independent values."""
    return cluster_bootstrap(values, np.arange(len(values)), resamples, seed)


def intervals(values: Mapping[str, Sequence[float]], resamples: int, seed: int) -> dict[str, Any]:
    """The fields of the mean of each of several measurements; see `Estimate.fields`."""
    fields: dict[str, Any] = {}
    for name, some in values.items():
        fields |= bootstrap(np.array(some), resamples, seed).fields(name)
    return fields
