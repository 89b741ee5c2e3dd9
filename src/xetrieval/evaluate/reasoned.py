"""Are reasoned vectors reconstructed better than an encoder's own, at the same sparsity? (paper, section 6, Fig. 4)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arrays import Float32
from ..internalizer import Internalizer
from ..sae import SparseAutoencoder
from ..sae.measure import measured
from ..views import Aspect
from .views import internalized


def raw_and_reasoned(
    sae: SparseAutoencoder,
    vectors: Float32,
    internalizers: Mapping[str, Mapping[Aspect, Internalizer]],
) -> dict[str, dict[str, Any]]:
    """{"original": figures, NAME: figures of R_t(z) of all its aspects together}, on rows the autoencoder never saw.

    Figures are fvu, mse, cosine, l0, rows, features_active (of all rows of a kind) and features_active_equal (of as
    many rows as there are of `vectors`: more rows reach more features).

    Args:
        internalizers: of several kinds, by name. One that learned nothing but to give its input back shows what a small
            network's smoothing does by itself.
    """
    out: dict[str, dict[str, Any]] = {}
    kinds: dict[str, list[Float32]] = {"original": [vectors]}
    kinds |= {name: list(internalized(nets, vectors).values()) for name, nets in internalizers.items()}
    for name, parts in kinds.items():
        found = measured(sae, np.concatenate(parts))
        share = np.concatenate([part[place :: len(parts)] for place, part in enumerate(parts)])
        out[name] = {
            **found.reconstruction(),
            "rows": found.rows,
            "features_active": int((found.fired > 0).sum()),
            "features_active_equal": int((measured(sae, share).fired > 0).sum()),
        }
    return out
