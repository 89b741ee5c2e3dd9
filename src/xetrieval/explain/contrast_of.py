"""Two documents of one query, over one set of features."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Float32
from ..sae import SparseCodes
from ..sae.projection import FeatureSets
from .attribution import attribute
from .contrast import Contrast, FeatureContrast
from .explanation import twin_label
from .support import overlap

if TYPE_CHECKING:
    from .explainer import Explainer


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
    features = [
        FeatureContrast(
            int(union[j]),
            explainer.features[union[j]].label,
            float(first[j]),
            float(second[j]),
            float(query_activation[j]),
            dict(zip(explainer.views, activations[0, j].tolist(), strict=True)),
            dict(zip(explainer.views, activations[1, j].tolist(), strict=True)),
        )
        for j in range(len(union))
    ]
    groups: dict[int, list[FeatureContrast]] = {}
    for feature, leader in zip(features, parts.twins[: len(union)].tolist(), strict=True):
        groups.setdefault(leader, []).append(feature)
    joined = [_joined(group) if len(group) > 1 else group[0] for group in groups.values()]
    return Contrast(
        first_score=float(parts.score[0]),
        second_score=float(parts.score[1]),
        bias=float(parts.bias[0]),
        first_remainder=float(parts.remainder[0]),
        second_remainder=float(parts.remainder[1]),
        features=tuple(sorted(joined, key=lambda f: (-abs(f.difference), f.id))),
        explainer=explainer.name,
        encoder=explainer.encoder_identity.name,
    )


def _joined(group: list[FeatureContrast]) -> FeatureContrast:
    """One line for features of nearly the same direction."""
    first, *others = sorted(group, key=lambda f: -f.query_activation)
    return replace(
        first,
        label=twin_label([f.label for f in (first, *others)], [f.id for f in (first, *others)]),
        first=sum(f.first for f in group),
        second=sum(f.second for f in group),
        first_views={view: max(f.first_views[view] for f in group) for view in first.first_views},
        second_views={view: max(f.second_views[view] for f in group) for view in first.second_views},
        twins=tuple(f.id for f in others),
    )
