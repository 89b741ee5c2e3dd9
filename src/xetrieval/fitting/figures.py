"""What a fit reports of its autoencoder, measured on documents it never saw."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, as_vectors
from ..sae import SparseAutoencoder
from .config import FitConfig

MOST_ROWS = 20_000  # enough for three digits


def held_out_rows(owner: NDArray[np.int64], documents: int, config: FitConfig) -> NDArray[np.bool_]:
    """True for the rows of held-out documents and of their sentences."""
    count = int(config.held_out * documents)
    chosen = np.random.default_rng(config.sae.seed).permutation(documents)[:count]
    return np.isin(owner, chosen)


def measure(sae: SparseAutoencoder, views: Any, held: NDArray[np.bool_]) -> dict[str, Any]:
    """FVU and cosine of original and of reasoned vectors apart; dead and dense features over all rows."""
    rows = np.flatnonzero(held)[:MOST_ROWS]
    figures: dict[str, Any] = {"held_out_rows": len(rows)}
    for name, columns in (("original", [0]), ("reasoned", list(range(1, views.shape[1])))):
        if columns:
            x = as_vectors(np.asarray(views[rows][:, columns], np.float32).reshape(-1, sae.dimension))
            figures[name] = reconstruction(sae, x)
    fired = np.zeros(sae.features, np.int64)
    every = max(1, len(views) // 100_000)
    seen = 0
    for start in range(0, len(views), 8192):
        block = np.asarray(views[start : start + 8192 : every], np.float32).reshape(-1, sae.dimension)
        codes = sae.encode(block)
        fired += np.bincount(codes.features[codes.values > 0], minlength=sae.features)
        seen += len(block)
    figures["dead_features"] = float((fired == 0).mean())
    figures["dense_features"] = float((fired > 0.1 * seen).mean())
    return figures


def reconstruction(sae: SparseAutoencoder, x: Float32) -> dict[str, float]:
    """FVU = sum ||x - x^||^2 / sum ||x - mean||^2, mean cosine of x^ to x, and L0, of unit rows."""
    codes = sae.encode(x)
    back = sae.decode(codes)
    error = float(((x - back) ** 2).sum(dtype=np.float64))
    spread = float(((x - x.mean(axis=0)) ** 2).sum(dtype=np.float64))
    cosine = np.einsum("nm,nm->n", x, back) / (np.linalg.norm(x, axis=1) * np.linalg.norm(back, axis=1))
    varied = spread > 1e-9 * len(x)  # one row, or equal ones, have no variance: then there is no fvu
    return {
        **({"fvu": error / spread} if varied else {}),
        "cosine": float(cosine.mean()),
        "l0": float((codes.values > 0).sum(1).mean()),
    }
