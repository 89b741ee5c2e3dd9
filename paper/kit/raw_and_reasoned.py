"""Are reasoned vectors reconstructed better than an encoder's own, at the same sparsity? (paper, section 6, Fig. 4)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from xetrieval.arrays import Float32, Float64
from xetrieval.evaluate.views import internalized
from xetrieval.internalizer import Internalizer
from xetrieval.sae import SparseAutoencoder
from xetrieval.sae.measure import Measured, measured
from xetrieval.views import View

RESAMPLES = 1000


def raw_and_reasoned(
    sae: SparseAutoencoder,
    vectors: Float32,
    internalizers: Mapping[str, Mapping[View, Internalizer]],
) -> dict[str, dict[str, Any]]:
    """{"original": figures, NAME: figures of R_t(z) of all its aspects together}, on rows the autoencoder never saw.

    Figures are fvu, mse, cosine, l0, rows, features_active (of all rows of a kind) and features_active_equal (of as
    many rows as there are of `vectors`: more rows reach more features); fvu_ci, the 95 % interval from drawing
    documents again with all their views; and, but for the original, fvu_less_original: the difference in fvu and its
    interval over the same draws, [mean, low, high].

    Args:
        vectors: unit vectors of documents, [n, m].
        internalizers: of several kinds, by name. One that learned nothing but to give its input back shows what a small
            network's smoothing does by itself.
    """
    out: dict[str, dict[str, Any]] = {}
    draws = np.random.default_rng(0).multinomial(len(vectors), np.full(len(vectors), 1 / len(vectors)), RESAMPLES)
    drawn: dict[str, Float64] = {}
    kinds: dict[str, list[Float32]] = {"original": [vectors]}
    kinds |= {name: list(internalized(nets, vectors).values()) for name, nets in internalizers.items()}
    for name, parts in kinds.items():
        found, squared, spread = Measured(sae), np.zeros(len(vectors)), np.zeros(len(vectors))
        for x in parts:
            squared += ((x - sae.decode(found.add(x))) ** 2).sum(axis=1, dtype=np.float64)
        for x in parts:
            spread += ((x - found.mean) ** 2).sum(axis=1)
        share = np.concatenate([part[place :: len(parts)] for place, part in enumerate(parts)])
        out[name] = {
            **found.reconstruction()._asdict(),
            "rows": found.rows,
            "features_active": int((found.activity.active > 0).sum()),
            "features_active_equal": int((measured(sae, share).activity.active > 0).sum()),
        }
        drawn[name] = (draws @ squared) / (draws @ spread)
        out[name]["fvu_ci"] = _ends(drawn[name])
        if name != "original":
            difference = out[name]["fvu"] - out["original"]["fvu"]
            out[name]["fvu_less_original"] = [difference, *_ends(drawn[name] - drawn["original"])]
    return out


def _ends(values: Float64) -> list[float]:
    """The 2.5 % and 97.5 % quantiles."""
    return [float(end) for end in np.quantile(values, [0.025, 0.975])]
