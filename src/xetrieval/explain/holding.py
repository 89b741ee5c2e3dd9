"""Decides whether the label of a shared feature holds for a pair of texts.

A label holds for a text if the text contains one of its terms or is near to it (`near_from`). It must hold for both
texts, and if neither contains a term, the feature must also be active enough in both (`holds_from`). A label that does
not consist of the corpus's own terms, or of unknown texts, needs both thresholds. Nearness needs the vectors of labels:
until the explainer has opened its encoder, a term in one text and the activation take its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..features import FROM_USES
from ..terms import contains_term
from .support import Overlap

if TYPE_CHECKING:
    from .explainer import Explainer


def labels_hold(
    explainer: Explainer,
    shared: Overlap,
    q: Float32,
    z: Float32,
    queries: Sequence[str] = (),
    documents: Sequence[str] = (),
) -> list[bool | None]:
    """For each row of `shared`, features of pairs (row i of q with row i of z); None if nothing was measured."""
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
        active = activation[rows] >= (feature.holds_from or 0.0)
        is_near = None
        if feature.near_from is not None and feature.label in near:
            vector = near[feature.label]
            is_near = [x[pair[rows]] @ vector >= feature.near_from for x in (q, z)]
        if feature.source == FROM_USES and feature.label and len(queries):
            in_query, in_document = (_contain(texts, pair[rows], feature.label) for texts in (queries, documents))
            near_query, near_document = is_near or (active, active)
            written = in_query | in_document if is_near is None else in_query | in_document | active
            holds = (in_query | near_query) & (in_document | near_document) & written
        elif is_near is not None:
            holds = active & is_near[0] & is_near[1]
        elif feature.holds_from is not None:
            holds = active
        else:
            continue
        for row, one in zip(rows.tolist(), holds.tolist(), strict=True):
            out[row] = one
    return out


def _contain(texts: Sequence[str], rows: NDArray[np.int64], label: str) -> NDArray[np.bool_]:
    return np.array([contains_term(texts[row], label) for row in rows.tolist()], bool)
