"""Vectors with a known composition."""

from __future__ import annotations

import numpy as np


def planted(n: int = 3000, dimension: int = 32, parts: int = 40, seed: int = 0) -> np.ndarray:
    """Unit vectors that are sums of three out of `parts` directions."""
    rng = np.random.default_rng(seed)
    directions = np.random.default_rng(7).standard_normal((parts, dimension))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    rows = np.stack([rng.uniform(0.5, 1.5, 3) @ directions[rng.choice(parts, 3, replace=False)] for _ in range(n)])
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
