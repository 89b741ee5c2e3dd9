"""Whether the label of a shared feature holds for a pair of texts.

It does if the feature is active enough in both texts (`holds_from`) and both are as similar to the label as texts that
it fits (`near_from`). Similarity needs the vectors of labels, so it is tested only once the explainer has opened its
encoder, and never for vectors without texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Float32
from .support import Overlap

if TYPE_CHECKING:
    from .explainer import Explainer


def labels_hold(explainer: Explainer, shared: Overlap, q: Float32, z: Float32) -> list[bool | None]:
    """For each row of `shared`, features of pairs (row i of q with row i of z); None where nothing was measured."""
    out: list[bool | None] = [None] * len(shared.features)
    if not out:
        return out
    pair = np.repeat(np.arange(len(q)), shared.sizes)
    activation = np.minimum(shared.query_activation, shared.view_activations.max(axis=1, initial=0.0))
    order = np.argsort(shared.features, kind="stable")
    ids, starts = np.unique(shared.features[order], return_index=True)
    known = [explainer.features[j] for j in ids.tolist()]
    near = explainer.label_vectors([one.label for one in known if one.label and one.near_from is not None])
    for feature, rows in zip(known, np.split(order, starts[1:]), strict=True):
        if feature.holds_from is None and feature.near_from is None:
            continue
        holds = activation[rows] >= (feature.holds_from or 0.0)
        if feature.near_from is not None and feature.label in near:
            vector = near[feature.label]
            holds &= np.minimum(q[pair[rows]] @ vector, z[pair[rows]] @ vector) >= feature.near_from
        elif feature.holds_from is None:
            continue
        for row, one in zip(rows.tolist(), holds.tolist(), strict=True):
            out[row] = one
    return out
