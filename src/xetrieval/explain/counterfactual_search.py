"""The smallest change that moves a document: features to erase from it, or one factor on those it has.

For a set T of features, erase gives z_T = z - W_T beta_T with beta_T = (G_TT + lambda I)^-1 u_T, so that

    <q, z_T> = <q, z> - <a_T, beta_T>        a = W^T q,  u = W^T (z - b),  v = W^T z,  G = W^T W
    ||z_T||^2 = ||z||^2 - 2 <v_T, beta_T> + beta_T^T G_TT beta_T

Scoring a set costs |T|^3 whatever m is. What is returned was scored once more on the edited vector itself.
"""

from __future__ import annotations

from itertools import combinations
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Float64, IntArray
from ..errors import MismatchError
from ..sae import SparseAutoencoder
from ..sae.projection import RIDGE, FeatureSets
from ..steer.project import erase

MARGIN: Final = 1e-6  # a score counts as below or above another from this far on
MOST_ERASED: Final = 24
SUBSETS: Final = 12  # sets up to this size have all their subsets tried
LARGEST_FACTOR: Final = 100.0

Sets = NDArray[np.intp]  # [n, t], rows of places in S


class Erasure(NamedTuple):
    """Features whose erasure takes the score below the limit asked for."""

    features: IntArray  # ascending
    score: float  # of the edited document
    minimal: bool  # every proper subset was tried and does not do it


class Boost(NamedTuple):
    """The factor on a document's activations that takes its score above the limit asked for."""

    factor: float  # > 1
    score: float


def smallest_erasure(
    sae: SparseAutoencoder, q: Float32, z: Float32, features: IntArray, below: float, most: int = MOST_ERASED
) -> Erasure | None:
    """The smallest part of `features` (S) whose erasure takes <q, z'> below `below`; None where none is found.

    All sets of one and two are tried. Larger ones grow greedily, at each step by the feature that lowers the score
    most, and are then cut back to the smallest part that still does it. Of sets of one size, the one of lowest score.

    Args:
        q: [m], unit. z: [m], unit. most: features that may be erased at once.
    """
    space = _Space.of(sae, q, z, features)
    limit = below - MARGIN
    for size in range(1, min(2, len(features), most) + 1):
        found = space.lowest(_all_sets(range(len(features)), size))
        if found is not None and found[1] < limit:
            return _scored_again(sae, q, z, features, *found, minimal=True)
    grown = _grow(space, len(features), limit, most)
    if grown is None:
        return None
    chosen, minimal = _cut_back(space, grown, limit)
    return _scored_again(sae, q, z, features, chosen, float(space.scores(chosen[None])[0]), minimal)


def smallest_boost(
    sae: SparseAutoencoder, q: Float32, z: Float32, features: IntArray, activations: Float32, above: float
) -> Boost | None:
    """The smallest factor > 1 on `activations` c of `features` S that takes the score above `above`.

    z' = z + (alpha - 1) W_S c_S; <q, l2norm(z')> = `above` is a quadratic in alpha, solved exactly. None where no
    factor up to 100 does it.
    """
    edit = activations.astype(np.float64) @ sae.directions[features].astype(np.float64)
    q64, z64, limit = q.astype(np.float64), z.astype(np.float64), above + MARGIN
    score, gain = float(q64 @ z64), float(q64 @ edit)
    norm2, cross, edit2 = float(z64 @ z64), float(z64 @ edit), float(edit @ edit)
    square = limit * limit
    roots = np.roots([gain**2 - square * edit2, 2 * (score * gain - square * cross), score**2 - square * norm2])
    for root in np.sort(roots[np.abs(roots.imag) < 1e-12].real):
        factor = 1 + float(root) * (1 + 1e-9)
        if not 1 < factor <= LARGEST_FACTOR:
            continue
        moved = z64 + (factor - 1) * edit
        reached = float(q64 @ moved) / float(np.linalg.norm(moved))
        if reached > above:
            return Boost(factor, reached)
    return None


class _Space(NamedTuple):
    """All that a score after erasing part of S depends on."""

    score: float
    norm2: float
    a: Float64  # [S]
    u: Float64  # [S]
    v: Float64  # [S]
    gram: Float64  # [S, S]

    @classmethod
    def of(cls, sae: SparseAutoencoder, q: Float32, z: Float32, features: IntArray) -> _Space:
        W = sae.directions[features].astype(np.float64)
        q64, z64 = q.astype(np.float64), z.astype(np.float64)
        v = W @ z64
        return cls(float(q64 @ z64), float(z64 @ z64), W @ q64, v - W @ sae.decoder_bias.astype(np.float64), v, W @ W.T)

    def scores(self, sets: Sets) -> Float64:
        """<q, l2norm(z_T)> for each row T of `sets`, [n]."""
        gram = self.gram[sets[:, :, None], sets[:, None, :]]
        ridge = RIDGE * np.eye(sets.shape[1])
        beta = np.linalg.solve(gram + ridge, self.u[sets][:, :, None])[:, :, 0]
        inner = np.einsum("nt,nts,ns->n", beta, gram, beta)
        norm2 = self.norm2 - 2 * np.einsum("nt,nt->n", self.v[sets], beta) + inner
        return np.asarray((self.score - np.einsum("nt,nt->n", self.a[sets], beta)) / np.sqrt(norm2))

    def lowest(self, sets: Sets) -> tuple[NDArray[np.intp], float] | None:
        """The row of lowest score, and that score."""
        if not len(sets):
            return None
        scores = self.scores(sets)
        best = int(np.argmin(scores))
        return sets[best], float(scores[best])


def _all_sets(places: range | NDArray[np.intp], size: int) -> Sets:
    return np.array(list(combinations(places, size)), np.intp).reshape(-1, size)


def _grow(space: _Space, count: int, limit: float, most: int) -> NDArray[np.intp] | None:
    chosen = np.empty(0, np.intp)
    while len(chosen) < min(count, most):
        others = np.setdiff1d(np.arange(count), chosen)
        tried = np.column_stack([np.tile(chosen, (len(others), 1)), others])
        found = space.lowest(tried)
        if found is None:
            return None
        chosen = found[0]
        if found[1] < limit:
            return chosen
    return None


def _cut_back(space: _Space, chosen: NDArray[np.intp], limit: float) -> tuple[NDArray[np.intp], bool]:
    while len(chosen) > SUBSETS:
        found = space.lowest(np.stack([np.delete(chosen, i) for i in range(len(chosen))]))
        if found is None or found[1] >= limit:
            return chosen, False
        chosen = found[0]
    for size in range(3, len(chosen)):
        found = space.lowest(_all_sets(chosen, size))
        if found is not None and found[1] < limit:
            return found[0], True
    return chosen, True


def _scored_again(
    sae: SparseAutoencoder,
    q: Float32,
    z: Float32,
    features: IntArray,
    chosen: NDArray[np.intp],
    expected: float,
    minimal: bool,
) -> Erasure:
    ids = np.sort(features[chosen])
    score = float(erase(sae, z[None], FeatureSets.of([ids]))[0] @ q.astype(np.float64))
    if abs(score - expected) > MARGIN:
        raise MismatchError(f"erasing {len(ids)} features gives {score:.9f}, by the small form {expected:.9f}")
    return Erasure(ids, score, minimal)
