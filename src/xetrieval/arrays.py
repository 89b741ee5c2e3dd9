"""The array types of the core, and the checks every matrix of vectors passes on its way in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Ids = NDArray[np.int32]


def l2norm(x: NDArray[Any]) -> NDArray[Any]:
    """Rows of `x` [n, m] divided by their Euclidean norm."""
    normed: NDArray[Any] = x / np.linalg.norm(x, axis=-1, keepdims=True)
    return normed


def as_vectors(x: Any, dimension: int | None = None, name: str = "vectors") -> Float32:
    """`x` as float32 [n, m], refused in words when it is not a matrix of usable vectors.

    Raises:
        InputError: not two-dimensional, another dimension than asked, a NaN or infinite number, a zero row.
    """
    try:
        vectors = np.ascontiguousarray(x, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: not an array of numbers ({error})") from error
    if vectors.ndim == 1 and vectors.size:
        vectors = vectors[None, :]
    if vectors.ndim != 2:
        raise InputError(f"{name}: expected shape [n, m], got {list(vectors.shape)}")
    if dimension is not None and len(vectors) and vectors.shape[1] != dimension:
        raise InputError(f"{name}: dimension is {vectors.shape[1]}, expected {dimension}")
    if not np.isfinite(vectors).all():
        row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise InputError(f"{name}: row {row} holds NaN or infinite numbers")
    if not vectors.any(axis=1).all():
        row = int(np.flatnonzero(~vectors.any(axis=1))[0])
        raise InputError(f"{name}: row {row} is zero; a zero vector has no direction to explain")
    return vectors
