"""Samples the rows of a large training run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..configs.rule import MOST_ROWS


def sampled(rows: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """At most 500,000 of the rows, in order."""
    if len(rows) <= MOST_ROWS:
        return rows
    return np.sort(np.random.default_rng([seed, MOST_ROWS]).permutation(rows)[:MOST_ROWS])
