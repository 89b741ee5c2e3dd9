"""Counterfactuals: the fewest features to erase from a document, or a factor that scales its features.

For a set T of features, erase gives z_T = z - W_T beta_T with beta_T = (G_TT + lambda I)^-1 u_T, so that

    <q, z_T> = <q, z> - <a_T, beta_T>        a = W^T q,  u = W^T (z - b),  v = W^T z,  G = W^T W
    ||z_T||^2 = ||z||^2 - 2 <v_T, beta_T> + beta_T^T G_TT beta_T

Scoring a set costs |T|^3 for any m. The result is then checked by scoring the edited vector itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Float64, IntArray
from ..configs.option import LARGEST_FACTOR
from ..errors import MismatchError
from ..features import Feature
from ..records import Record, brief
from ..sae import SparseAutoencoder, SparseCodes
from ..sae.projection import RIDGE, FeatureSets
from ..steer.project import erase
from .support import overlap

if TYPE_CHECKING:
    from .explainer import Explainer

MARGIN: Final = 1e-6  # scores closer than this count as equal
MOST_ERASED: Final = 24
SUBSETS: Final = 12  # all subsets of a set up to this size are tried

Set = NDArray[np.intp]  # [t], positions in S
Sets = NDArray[np.intp]  # [n, t]


class NamedFeature(NamedTuple):
    """A feature's number and name."""

    feature_id: int
    name: str

    def __repr__(self) -> str:
        return brief(self)


class Erase(NamedTuple):
    """Features to erase from the document, and its score without them."""

    features: tuple[NamedFeature, ...]
    score: float
    minimal: bool  # no proper subset is enough

    def __repr__(self) -> str:
        return brief(self)


class Scale(NamedTuple):
    """A factor by which to scale the document's activations of these features, and its score after that."""

    features: tuple[int, ...]  # the features that the query shares with the document's original view
    factor: float
    score: float


@dataclass(frozen=True)
class Swap(Record):
    """Changes that would swap two documents, one to the document ahead and one to the other. Either is enough."""

    ahead: Literal["first", "second"]
    ahead_score: float
    behind_score: float
    erase: Erase | None  # features to erase from the higher document; None: no set was found
    boost: Scale | None  # how to scale the lower document; None: no factor was found
    most_erased: int  # the largest set of features that was tried

    json_also = ("sentences",)

    @property
    def behind(self) -> Literal["first", "second"]:
        """The other document."""
        return "second" if self.ahead == "first" else "first"

    @property
    def sentences(self) -> tuple[str, str]:
        """Both changes in words."""
        if self.erase is None:
            erased = f"{_none_of(self.most_erased)} put the {self.ahead} document below the other"
        else:
            erased = (
                f"{_without(self.erase)}, the {self.ahead} document would score {self.erase.score:+.4f}, "
                f"below the {self.behind} one ({self.behind_score:+.4f})"
            )
        if self.boost is None:
            return (
                erased,
                f"no factor up to {LARGEST_FACTOR:g} on what the {self.behind} document shares "
                f"with the query lifts it above the {self.ahead}",
            )
        return erased, (
            f"with {self.boost.factor:.2f} times the activation of what it shares with the query, the {self.behind} "
            f"document would pass the {self.ahead} one ({self.ahead_score:+.4f})"
        )


@dataclass(frozen=True)
class RankChange(Record):
    """What would take a document out of the top k of a ranking, or into it."""

    rank: int  # current rank of the document
    k: int
    cutoff_score: float  # the score to fall below (if it is in the top k), or to exceed (if not)
    erase: Erase | None = None
    boost: Scale | None = None
    most_erased: int = 0

    json_also = ("sentences",)

    @property
    def inside(self) -> bool:
        """Whether the document is in the top k now."""
        return self.rank <= self.k

    @property
    def sentences(self) -> tuple[str, ...]:
        """The change in words."""
        ends = f"the top {self.k}, which ends at {self.cutoff_score:+.4f}"
        if self.inside and self.erase is None:
            return (f"{_none_of(self.most_erased)} take the document out of the top {self.k}",)
        if self.erase is not None:
            return (f"{_without(self.erase)}, the document would score {self.erase.score:+.4f} and leave {ends}",)
        if self.boost is None:
            shared = "what the document shares with the query"
            return (f"no factor up to {LARGEST_FACTOR:g} on {shared} would lift it into {ends}",)
        times = f"{self.boost.factor:.2f} times the activation of what it shares with the query"
        return (f"with {times}, the document would enter {ends}",)


def _none_of(most: int) -> str:
    return f"no set of up to {most} shared features was found whose removal would"


def _without(erased: Erase) -> str:
    names = "; ".join(feature.name for feature in erased.features)
    return f"without {names}{'' if erased.minimal else ' (perhaps not the fewest)'}"


def swap_vectors(explainer: Explainer, q: Float32, z: Float32) -> Swap:
    """What would swap the documents z[0] and z[1] (unit rows [2, m]) for q [m]. On a tie, the first is ahead."""
    scores = z.astype(np.float64) @ q.astype(np.float64)
    ahead = int(np.argmax(scores))
    behind = 1 - ahead
    sae = explainer.sae
    views = explainer.codes(z[[ahead]])
    erased, most = least_erasure(sae, explainer.features, (q, z[ahead]), views, float(scores[behind]))
    boost = least_boost(sae, (q, z[behind]), sae.encode(z[[behind]]), float(scores[ahead]))
    return Swap("second" if ahead else "first", float(scores[ahead]), float(scores[behind]), erased, boost, most)


def least_erasure(
    sae: SparseAutoencoder,
    features: Sequence[Feature],
    pair: tuple[Float32, Float32],
    views: Sequence[SparseCodes],
    below: float,
) -> tuple[Erase | None, int]:
    """The fewest features whose erasure takes a pair's score below `below`, and the size of the largest set tried.

    Args:
        pair: q [m] and z [m]. views: the document's codes in every view.
    """
    shared = overlap(sae.encode(pair[0][None]), views, sae.features).features
    found = smallest_erasure(sae, *pair, shared, below)
    named = () if found is None else tuple(NamedFeature(j, features[j].name) for j in found.features.tolist())
    most = min(MOST_ERASED, len(shared))
    return (None if found is None else Erase(named, found.score, found.minimal)), most


def least_boost(
    sae: SparseAutoencoder, pair: tuple[Float32, Float32], original: SparseCodes, above: float
) -> Scale | None:
    """The smallest factor on the features shared with the document's original view that takes the score above
    `above`."""
    own = overlap(sae.encode(pair[0][None]), [original], sae.features)
    return smallest_boost(sae, *pair, own.features, own.view_activations[:, 0], above)


class Erasure(NamedTuple):
    """Features whose erasure takes the score below the limit."""

    features: IntArray  # ascending
    score: float  # score of the edited document
    minimal: bool  # every proper subset was tried and is not enough


def smallest_erasure(
    sae: SparseAutoencoder, q: Float32, z: Float32, features: IntArray, below: float, most: int = MOST_ERASED
) -> Erasure | None:
    """The smallest part of `features` (S) whose erasure takes <q, z'> below `below`; None if none is found.

    All sets of one and two are tried. Larger ones grow greedily, at each step by the feature that lowers the score
    most, and are then cut back to the smallest part that is still enough. Of sets of one size, the one with the lowest
    score is taken.

    Args:
        q: [m], unit. z: [m], unit. most: features that may be erased at once.
    """
    space = _Space.of(sae, q, z, features)
    found = space.smallest_set(below - MARGIN, min(len(features), most))
    if found is None:
        return None
    chosen, minimal = found
    ids, expected = np.sort(features[chosen]), float(space.scores(chosen[None])[0])
    score = float(erase(sae, z[None], FeatureSets.of([ids]))[0] @ q.astype(np.float64))
    if abs(score - expected) > MARGIN:
        raise MismatchError(f"erasing {len(ids)} features gives {score:.9f}, but the fast formula gives {expected:.9f}")
    return Erasure(ids, score, minimal)


def smallest_boost(
    sae: SparseAutoencoder, q: Float32, z: Float32, features: IntArray, activations: Float32, above: float
) -> Scale | None:
    """The smallest factor > 1 on `activations` c of `features` S that takes the score above `above`.

    z' = z + (alpha - 1) W_S c_S; <q, l2norm(z')> = `above` is a quadratic in alpha, solved exactly. None if no factor
    up to 100 is enough.
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
            return Scale(tuple(features.tolist()), factor, reached)
    return None


class _Space(NamedTuple):
    """Everything needed to compute the score after erasing part of S."""

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

    def lowest(self, sets: Sets) -> tuple[Set, float]:
        """The row with the lowest score, and that score."""
        scores = self.scores(sets)
        best = int(np.argmin(scores))
        return sets[best], float(scores[best])

    def smallest_set(self, limit: float, most: int) -> tuple[Set, bool] | None:
        """The smallest set of at most `most` whose score is below `limit`, and whether no part of it is enough."""
        for size in range(1, min(2, most) + 1):
            chosen, score = self.lowest(_all_sets(range(len(self.a)), size))
            if score < limit:
                return chosen, True
        chosen, score = np.empty(0, np.intp), np.inf
        while score >= limit:
            if len(chosen) >= most:
                return None
            others = np.setdiff1d(np.arange(len(self.a)), chosen)
            chosen, score = self.lowest(np.column_stack([np.tile(chosen, (len(others), 1)), others]))
        return self._cut_back(chosen, limit)

    def _cut_back(self, chosen: Set, limit: float) -> tuple[Set, bool]:
        while len(chosen) > SUBSETS:
            smaller, score = self.lowest(np.stack([np.delete(chosen, i) for i in range(len(chosen))]))
            if score >= limit:
                return chosen, False
            chosen = smaller
        for size in range(3, len(chosen)):
            smaller, score = self.lowest(_all_sets(chosen, size))
            if score < limit:
                return smaller, True
        return chosen, True


def _all_sets(positions: range | Set, size: int) -> Sets:
    return np.array(list(combinations(positions, size)), np.intp).reshape(-1, size)
