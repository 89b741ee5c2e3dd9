"""Does an explanation stay the same for a paraphrased query, or for an autoencoder trained with another seed?

Explanations A and B of pairs that should agree. For the features that A shows, weighted by |share|:

    kept     the part that B shows too
    chance   the same with B taken from another pair: how far any two explanations agree

Between two autoencoders a feature counts as kept where B shows one whose direction has a cosine of 0.7 or more with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xetrieval.arrays import Float32, Float64, IntArray
from xetrieval.errors import InputError
from xetrieval.explain import DEFAULT_TOP, Explainer, attribute, overlap
from xetrieval.intervals import bootstrap
from xetrieval.sae import SparseAutoencoder
from xetrieval.sae.projection import FeatureSets

ALIKE: Final = 0.7  # minimum cosine of directions for two features of different autoencoders to count as the same


class Shown(NamedTuple):
    """The top features of an explanation, by decreasing |share|."""

    features: IntArray
    shares: Float64


def shown_features(explainer: Explainer, q: Float32, z: Float32, count: int = DEFAULT_TOP) -> list[Shown]:
    """The `count` features of largest |share| of each pair of rows."""
    sae = explainer.sae
    shared = overlap(sae.encode(q), explainer.codes(z), sae.features)
    shares = attribute(q, z, sae.directions, sae.decoder_bias, FeatureSets(shared.starts, shared.features)).shares
    out = []
    for pair in range(len(q)):
        rows = shared.of(pair)
        order = np.argsort(-np.abs(shares[rows]), kind="stable")[:count]
        out.append(Shown(shared.features[rows][order], shares[rows][order]))
    return out


def stability(
    first: Sequence[Shown], second: Sequence[Shown], alike: NDArray[np.bool_] | None = None, seed: int = 0
) -> dict[str, Any]:
    """{pairs, kept, kept_ci, chance, jaccard, top_kept}: see above; top_kept is for the first feature alone.

    Args:
        alike: [F, F'] which features of two autoencoders count as one; None: both are of the same.
    Raises:
        InputError: another number of explanations, or fewer than two.
    """
    if len(first) != len(second) or len(first) < 2:
        raise InputError(f"{len(first)} explanations and {len(second)}: give the same number of each, at least 2")
    order = np.random.default_rng(seed).permutation(len(first))
    stranger = np.empty(len(first), np.int64)
    stranger[order] = np.roll(order, 1)  # never the pair itself
    kept, chance, jaccard, top = [], [], [], []
    for place, a in enumerate(first):
        if not len(a.features):
            continue
        weight = np.abs(a.shares)
        found = _found(a.features, second[place].features, alike)
        kept.append(float(weight[found].sum() / weight.sum()))
        wrong = _found(a.features, second[stranger[place]].features, alike)
        chance.append(float(weight[wrong].sum() / weight.sum()))
        both = int(found.sum())
        jaccard.append(both / (len(a.features) + len(second[place].features) - both))
        top.append(float(found[0]))
    mean, low, high = bootstrap(np.array(kept), seed=seed)
    return {
        "pairs": len(kept),
        "kept": round(mean, 4),
        "kept_ci": [round(low, 4), round(high, 4)],
        "chance": round(float(np.mean(chance)), 4),
        "jaccard": round(float(np.mean(jaccard)), 4),
        "top_kept": round(float(np.mean(top)), 4),
    }


def alike_features(first: SparseAutoencoder, second: SparseAutoencoder, cosine: float = ALIKE) -> NDArray[np.bool_]:
    """[F, F'] whether two features point the same way.

    Raises:
        InputError: autoencoders of different dimensions.
    """
    if first.dimension != second.dimension:
        raise InputError(f"autoencoders of dimension {first.dimension} and {second.dimension} cannot be compared")
    a, b = (s.directions / np.linalg.norm(s.directions, axis=1, keepdims=True) for s in (first, second))
    return np.asarray(a @ b.T >= cosine)


def _found(features: IntArray, among: IntArray, alike: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    if alike is None:
        return np.isin(features, among)
    return np.asarray(alike[np.ix_(features, among)].any(axis=1)) if len(among) else np.zeros(len(features), bool)
