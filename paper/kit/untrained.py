"""The floor of every comparison: an autoencoder that learned nothing (the paper's Random SAE)."""

from __future__ import annotations

import numpy as np

from xetrieval.arrays import Float32, l2norm
from xetrieval.sae.model import SparseAutoencoder


def untrained_sae(features: int, mean: Float32, k: int, seed: int = 0) -> SparseAutoencoder:
    """F random unit directions, used for encoder and decoder, around `mean` [m] of the vectors, k of them active."""
    rng = np.random.default_rng(seed)
    directions = l2norm(rng.standard_normal((features, len(mean)))).astype(np.float32)
    return SparseAutoencoder(
        directions,
        np.zeros(features, np.float32),
        np.ascontiguousarray(directions.T),
        np.asarray(mean, np.float32),
        k,
    )
