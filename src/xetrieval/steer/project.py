"""Erase and keep-only (paper, section on local attribution): the document without S, and with S alone.

erase:     l2norm(z - P_S(z - b))
keep-only: l2norm(b + P_S(z - b))
"""

from __future__ import annotations

import numpy as np

from ..arrays import Float32, Float64, l2norm
from ..sae import SparseAutoencoder
from ..sae.projection import FeatureSets, project


def erase(sae: SparseAutoencoder, z: Float32, sets: FeatureSets) -> Float64:
    """Rows of `z` [n, m] without the span of their feature set, unit norm."""
    return erase_and_keep(sae, z, sets)[0]


def keep_only(sae: SparseAutoencoder, z: Float32, sets: FeatureSets) -> Float64:
    """The decoder bias plus what each row of `z` [n, m] has in the span of its own set, unit norm."""
    return erase_and_keep(sae, z, sets)[1]


def erase_and_keep(sae: SparseAutoencoder, z: Float32, sets: FeatureSets) -> tuple[Float64, Float64]:
    """Both edits from one projection. For an empty set, z is unchanged by erase, and keep-only leaves just the bias."""
    b = sae.decoder_bias.astype(np.float64)
    z64 = z.astype(np.float64)
    inside = project(sae.directions, sets, z64 - b, z64).inside
    return l2norm(z64 - inside), l2norm(b + inside)
