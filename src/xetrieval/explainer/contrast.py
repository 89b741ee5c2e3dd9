"""Two documents of one query, over one set of features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Float32
from ..explain import Contrast, FeatureContrast, attribute, overlap
from ..explain.projection import FeatureSets
from ..sae import SparseCodes

if TYPE_CHECKING:
    from .model import Explainer


def contrast_vectors(explainer: Explainer, q: Float32, z: Float32) -> Contrast:
    """Document z[0] against z[1] (unit rows [2, m]) for the query q [m]."""
    query = explainer.sae.encode(q[None])
    twice = SparseCodes(np.repeat(query.features, 2, axis=0), np.repeat(query.values, 2, axis=0))
    shared = overlap(twice, explainer.codes(z), explainer.sae.features)
    union = np.unique(shared.features)
    sae = explainer.sae
    parts = attribute(np.stack([q, q]), z, sae.directions, sae.decoder_bias, FeatureSets.of([union, union]))
    first, second = parts.shares.reshape(2, len(union))
    activations = np.zeros((2, len(union), len(explainer.views)), np.float32)
    query_activation = np.zeros(len(union), np.float32)
    for document in range(2):
        rows = shared.of(document)
        places = np.searchsorted(union, shared.features[rows])
        activations[document, places] = shared.view_activations[rows]
        query_activation[places] = shared.query_activation[rows]
    features = tuple(
        FeatureContrast(
            int(union[j]),
            explainer.features[union[j]].label,
            float(first[j]),
            float(second[j]),
            float(query_activation[j]),
            *(dict(zip(explainer.views, activations[d, j].tolist(), strict=True)) for d in range(2)),
        )
        for j in np.lexsort((union, -np.abs(first - second)))
    )
    return Contrast(
        first_score=float(parts.score[0]),
        second_score=float(parts.score[1]),
        bias=float(parts.bias[0]),
        first_remainder=float(parts.remainder[0]),
        second_remainder=float(parts.remainder[1]),
        features=features,
        explainer=explainer.name,
        encoder=explainer.encoder_identity.name,
    )
