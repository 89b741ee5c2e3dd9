"""What would have to change for two documents of one query to change places."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Float32
from .counterfactual import Counterfactual
from .counterfactual_search import LARGEST_FACTOR, MOST_ERASED, smallest_boost, smallest_erasure
from .support import overlap

if TYPE_CHECKING:
    from .explainer import Explainer


def counterfactual_vectors(explainer: Explainer, q: Float32, z: Float32) -> Counterfactual:
    """Of the documents z[0] and z[1] (unit rows [2, m]) for the query q [m]. Equal scores: the first is ahead."""
    scores = z.astype(np.float64) @ q.astype(np.float64)
    ahead = int(np.argmax(scores))
    behind = 1 - ahead
    sae = explainer.sae
    query, views = sae.encode(q[None]), explainer.codes(z[[ahead]])
    shared = overlap(query, views, sae.features)
    erasure = smallest_erasure(sae, q, z[ahead], shared.features, float(scores[behind]))
    own = overlap(query, [sae.encode(z[[behind]])], sae.features)
    boost = smallest_boost(sae, q, z[behind], own.features, own.view_activations[:, 0], float(scores[ahead]))
    return Counterfactual(
        ahead="second" if ahead else "first",
        ahead_score=float(scores[ahead]),
        behind_score=float(scores[behind]),
        erased=() if erasure is None else tuple((int(i), explainer.features[i].name) for i in erasure.features),
        erased_score=None if erasure is None else erasure.score,
        minimal=erasure is not None and erasure.minimal,
        most_erased=min(MOST_ERASED, len(shared.features)),
        boosted=tuple(own.features.tolist()),
        factor=None if boost is None else boost.factor,
        boosted_score=None if boost is None else boost.score,
        largest_factor=LARGEST_FACTOR,
    )
