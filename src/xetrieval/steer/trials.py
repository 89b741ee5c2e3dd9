"""Tries small sets of features and factors on documents that are already scored, all at once.

For candidates C, let U = (Z - b) W_C and a = W_C^T q. A trial removes part of C by projection (see `removal`): with
K = M D on its set and 0 elsewhere, the scores of Z for q change by -U K a.
"""

from __future__ import annotations

from itertools import combinations, product
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Float64, IntArray
from ..sae import SparseAutoencoder
from ..sae.projection import RIDGE

PERSISTENCE: Final = 0.9  # p of rank-biased overlap

Places = NDArray[np.int64]


class Candidates(NamedTuple):
    """Features that may be steered."""

    ids: IntArray  # [c]
    directions: Float64  # [c, m]
    decoder_bias: Float64  # [m]

    @classmethod
    def of(cls, sae: SparseAutoencoder, ids: IntArray) -> Candidates:
        """These features of an autoencoder."""
        return cls(ids, sae.directions[ids].astype(np.float64), sae.decoder_bias.astype(np.float64))

    def pool(self, q: Float32, z: Float32, scores: Float64) -> Pool:
        """A query [m] with documents [n, m] that score `scores`."""
        return Pool(scores, (z - self.decoder_bias) @ self.directions.T, self.directions @ q.astype(np.float64))


class Pool(NamedTuple):
    """Documents of one query: everything that trials need to compute their scores."""

    scores: Float64  # [n]
    along: Float64  # [n, c], U
    query: Float64  # [c], a

    def tried(self, trials: Trials) -> Float64:
        """The scores in each trial, [t, n]."""
        return np.asarray(self.scores - (trials.inner @ self.query) @ self.along.T)


class Trials(NamedTuple):
    """Sets of candidates with a factor each."""

    factors: Float64  # [t, c]; 1 outside the set
    inner: Float64  # [t, c, c], K

    @classmethod
    def of(cls, candidates: Candidates, factors: Float64, most: int) -> Trials:
        """Every set of at most `most` candidates, with each choice of their factors, [c, f]."""
        gram = candidates.directions @ candidates.directions.T
        count = len(factors)
        parts = [
            _of_size(gram, factors, np.array(list(combinations(range(count), size))), size)
            for size in range(1, min(most, count) + 1)
        ]
        if not parts:
            return cls(np.empty((0, count)), np.empty((0, count, count)))
        return cls(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    @property
    def used(self) -> Places:
        """How many features each trial changes, [t]."""
        return np.asarray((self.factors != 1).sum(axis=1))

    def only(self, kept: Places) -> Trials:
        """Some of the trials."""
        return Trials(self.factors[kept], self.inner[kept])


def _of_size(gram: Float64, factors: Float64, sets: Places, size: int) -> tuple[Float64, Float64]:
    """The factors and inner matrices of all sets [n, size] with all choices of their factors."""
    inverse = np.linalg.inv(gram[sets[:, :, None], sets[:, None, :]] + RIDGE * np.eye(size))
    choice = np.array(list(product(range(factors.shape[1]), repeat=size)))  # [k, size]
    values = factors[sets[:, None, :], choice[None]]  # [n, k, size]
    inner = inverse[:, None] * (1 - values)[:, :, None, :]
    count, each = len(gram), len(choice)
    trials, owner = len(sets) * each, np.repeat(sets, each, axis=0)  # [n k, size]
    rows = np.arange(trials)[:, None]
    every, whole = np.ones((trials, count)), np.zeros((trials, count, count))
    every[rows, owner] = values.reshape(trials, size)
    whole[rows[:, :, None], owner[:, :, None], owner[:, None, :]] = inner.reshape(trials, size, size)
    return every, whole


def rank_of(scores: Float32 | Float64, place: int) -> Places:
    """The rank of the document in column `place` by each row of scores [t, n]; ties are ordered by column."""
    own = scores[:, place, None]
    return np.asarray(1 + (scores > own).sum(axis=1) + (scores[:, :place] == own).sum(axis=1))


def rank_without(scores: Float32 | Float64, place: int, other: int) -> Places:
    """The rank of the document in column `place` among all but the one in column `other`."""
    return rank_of(scores, place) - (scores[:, other] > scores[:, place])


def best_places(scores: Float32 | Float64, depth: int) -> Places:
    """The columns of the `depth` largest scores of each row, best first."""
    depth = min(depth, scores.shape[1])
    top = np.argpartition(np.negative(scores), depth - 1, axis=1)[:, :depth]
    top.sort(axis=1)  # ties go by column
    order = np.argsort(np.negative(np.take_along_axis(scores, top, axis=1)), axis=1, kind="stable")
    return np.asarray(np.take_along_axis(top, order, axis=1))


def rank_biased_overlap(places: Places) -> Float64:
    """RBO, extrapolated from depth k, of rankings [..., k] with a ranking of the same depth.

    Args:
        places: the place of each document in the other ranking, counted from 0; k or more if it is absent.
    """
    k = places.shape[-1]
    depths = np.arange(1, k + 1)
    both = np.maximum(places, depths - 1)  # a document is in both rankings from this place on
    common = (both[..., None] < depths).sum(axis=-2)  # [..., k]
    agreement, weight = common / depths, PERSISTENCE**depths
    return np.asarray((1 - PERSISTENCE) / PERSISTENCE * (agreement @ weight) + agreement[..., -1] * weight[-1])
