"""Why a document has its score with views: one projection per view, weighted, and summed by feature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...arrays import Float32
from ...explain import Breakdown, Part, attribute, overlap
from ...sae import SparseCodes
from ...sae.projection import FeatureSets
from ...views import View

if TYPE_CHECKING:
    from ..index import Index


def weighted_breakdown(index: Index, q: Float32, row: int, weights: Mapping[View, float]) -> Breakdown:
    """s' = sum_t w_t (bias + shares_t + remainder_t), the original view with weight 1.

    The features of a view are those that the query shares with that view.
    """
    sae, names = index.explainer.sae, index.explainer.features
    rows = np.array([row])
    used = [(view, weight) for view, weight in {index.manifest.views[0]: 1.0, **weights}.items() if weight]
    every = dict(zip(index.manifest.views, index.explainer.reasoned(index.vectors(rows)), strict=True))
    z = np.concatenate([every[view] for view, _ in used])
    repeated, query = np.repeat(q[None], len(used), axis=0), sae.encode(q[None])
    codes = SparseCodes.of_ragged(
        *(np.concatenate(column) for column in zip(*(_ragged(index, row, view) for view, _ in used), strict=True))
    )
    shared = overlap(query.rows(np.zeros(len(used), np.int64)), [codes], sae.features)
    parts = attribute(repeated, z, sae.directions, sae.decoder_bias, FeatureSets(shared.starts, shared.features))
    by_feature: dict[int, dict[View, float]] = {}
    for place, (view, weight) in enumerate(used):
        for at in range(*shared.of(place).indices(len(shared.features))):
            by_feature.setdefault(int(shared.features[at]), {})[view] = weight * float(parts.shares[at])
    factor = np.array([weight for _, weight in used])
    document = index.document(row)
    return Breakdown(
        score=float(factor @ parts.score),
        mode="views",
        parts=tuple(
            Part("feature", names[j].name, sum(views.values()), j, views)
            for j, views in sorted(by_feature.items(), key=lambda item: -sum(item[1].values()))
        ),
        bias=float(factor @ parts.bias),
        remainder=float(factor @ parts.remainder),
        note=f"score: the document's own vector and {', '.join(f'{w:g} × {view}' for view, w in used[1:])}",
        doc_id=document.id,
        document=document.text,
    )


def _ragged(index: Index, row: int, view: View) -> tuple[Any, Any, Any]:
    shard = index.shard_of(row)
    return shard.ragged(view, np.array([row - shard.first]))
