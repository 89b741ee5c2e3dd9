"""Decides whether the label of a shared feature holds for a pair of texts.

There are up to four signs: the feature is active enough in both texts (`holds_from`), both texts are near the label
(`near_from`), the query contains a term of the label, and so does the document. Two signs are enough; one is enough if
only the activation can be tested. Nearness needs the vectors of labels, so it is not tested until the explainer has
opened its encoder. Terms are tested if the label consists of the corpus's own terms and the texts are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..features import FROM_USES
from ..terms import contains_term
from .support import Overlap

if TYPE_CHECKING:
    from .explainer import Explainer

ENOUGH: Final = 2  # signs


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
        signs = [activation[rows] >= (feature.holds_from or 0.0)]
        if feature.near_from is not None and feature.label in near:
            vector = near[feature.label]
            signs.append(np.minimum(q[pair[rows]] @ vector, z[pair[rows]] @ vector) >= feature.near_from)
        if feature.source == FROM_USES and feature.label and len(queries):
            signs += [_contain(texts, pair[rows], feature.label) for texts in (queries, documents)]
        if len(signs) == 1 and feature.holds_from is None:
            continue
        holds = np.sum(signs, axis=0) >= min(ENOUGH, len(signs))
        for row, one in zip(rows.tolist(), holds.tolist(), strict=True):
            out[row] = one
    return out


def _contain(texts: Sequence[str], rows: NDArray[np.int64], label: str) -> NDArray[np.bool_]:
    return np.array([contains_term(texts[row], label) for row in rows.tolist()], bool)
