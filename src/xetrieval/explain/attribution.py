"""Shares of a score that add up to it.

With S = O(q,d) and beta the coefficients of z - b in span(W_S):

    s(q,d) = <q, b>  +  sum_{j in S} beta_j <q, w_j>  +  <q, z - b - W_S beta>
             bias       shares                           remainder

The three parts are computed apart, in float64. Their sum is compared with the score itself, so an error in
any of them shows.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from ..arrays import Float32, Float64
from ..errors import MismatchError
from .projection import FeatureSets, project

TOLERANCE: Final = 1e-5  # on |bias + shares + remainder - score|


class Attribution(NamedTuple):
    """The parts of n scores. `shares` is aligned with the features of the sets that were asked for."""

    score: Float64  # [n], the retriever's own <q, z> in its own precision
    bias: Float64  # [n]
    shares: Float64  # [rows]
    remainder: Float64  # [n]
    total: Float64  # [n], sum of each pair's shares


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
    beta, inside, along = project(directions, sets, u, q64)
    pair = np.repeat(np.arange(len(q)), np.diff(sets.starts))
    shares = beta * along
    total = np.bincount(pair, weights=shares, minlength=len(q)).astype(np.float64)
    bias = q64 @ b64
    remainder = np.einsum("nm,nm->n", q64, u - inside)

    gap = np.abs(bias + total + remainder - score)
    limit = TOLERANCE * np.maximum(1.0, np.abs(score))
    if not (gap <= limit).all():  # so written, a NaN fails
        worst = int(np.argmax(gap - limit))
        raise MismatchError(f"pair {worst}: the parts add up to the score only within {gap[worst]:.1e}")
    return Attribution(score, bias, shares, remainder, total)
