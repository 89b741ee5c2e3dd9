"""Shares of a score that add up to it.

With S = O(q,d) and beta the coefficients of z - b in span(W_S):

    s(q,d) = <q, b>  +  sum_{j in S} beta_j <q, w_j>  +  <q, z - b - W_S beta>
             bias       shares                           remainder

The three parts are computed separately, in float64. Their sum is compared with the score itself, so an error in
any of them shows.

Two directions of S with a cosine near 1 (twins) get large coefficients that cancel: +10.8 and -10.8, for example, where
the score is below 1. They act as one direction, so twins have one share, divided evenly among them, and explanations
show them as one line. The span, the sum and all other shares do not change.

This keeps every share below 1.5 times the score (for scores of 0.2 and more) with most encoders. Where vectors vary in
only a few dimensions, several directions can be linearly dependent without any two being twins; `Explanation.notes`
then says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Float64
from ..errors import MismatchError
from ..records import brief
from ..sae import SparseAutoencoder, SparseCodes
from ..sae.projection import FeatureSets, project
from .support import Overlap, overlap

TOLERANCE: Final = 1e-5  # the most that bias + shares + remainder may differ from the score


class Attribution(NamedTuple):
    """The parts of n scores. `shares` is aligned with the features of the given sets."""

    score: Float64  # [n], the retriever's own <q, z> in its own precision
    bias: Float64  # [n]
    shares: Float64  # [rows]
    remainder: Float64  # [n]
    total: Float64  # [n], sum of each pair's shares
    twins: NDArray[np.int64]  # [rows], the pair's first row with nearly this direction; usually the row itself

    def __repr__(self) -> str:
        return brief(self)


def attribute(q: Float32, z: Float32, directions: Float32, decoder_bias: Float32, sets: FeatureSets) -> Attribution:
    """Split the scores of pairs (row i of `q` [n, m] with row i of `z` [n, m]) over their features.

    Args:
        directions: W^T [F, m]. decoder_bias: b [m]. sets: the features of each pair.
    Raises:
        MismatchError: the parts of a pair do not add up to its score within 1e-5.
    """
    score = np.einsum("nm,nm->n", q, z).astype(np.float64)
    q64, b64 = q.astype(np.float64), decoder_bias.astype(np.float64)
    u = z.astype(np.float64) - b64
    beta, inside, along, twins = project(directions, sets, u, q64)
    pair = np.repeat(np.arange(len(q)), np.diff(sets.starts))
    shares = divide_among_twins(beta * along, twins)
    total = np.bincount(pair, weights=shares, minlength=len(q)).astype(np.float64)
    bias = q64 @ b64
    remainder = np.einsum("nm,nm->n", q64, u - inside)

    gap = np.abs(bias + total + remainder - score)
    limit = TOLERANCE * np.maximum(1.0, np.abs(score))
    if not (gap <= limit).all():  # written so that NaN fails
        worst = int(np.argmax(gap - limit))
        raise MismatchError(f"pair {worst}: the parts add up to the score only within {gap[worst]:.1e}")
    return Attribution(score, bias, shares, remainder, total, twins)


def attribute_shared(
    sae: SparseAutoencoder, q: Float32, z: Float32, query: SparseCodes, views: Sequence[SparseCodes]
) -> tuple[Overlap, Attribution]:
    """The features that query i shares with document i, and the scores split over them. Codes have one row per pair."""
    shared = overlap(query, views, sae.features)
    sets = FeatureSets(shared.starts, shared.features)
    return shared, attribute(q, z, sae.directions, sae.decoder_bias, sets)


def divide_among_twins(shares: Float64, twins: NDArray[np.int64]) -> Float64:
    """Divide the summed share of features with nearly the same direction evenly among them; others stay."""
    places = np.flatnonzero(twins != np.arange(len(twins)))
    if not len(places):
        return shares
    out = shares.copy()
    rows = np.union1d(places, twins[places])
    leaders, group, size = np.unique(twins[rows], return_inverse=True, return_counts=True)
    out[rows] = (np.bincount(group, weights=shares[rows], minlength=len(leaders)) / size)[group]
    return out
