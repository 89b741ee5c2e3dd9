"""Exact split of a feature's share over the tokens of a text (beta is linear in z).

beta_j = <p_j, z - b> with p_j the j-th row of (W_S^T W_S + lambda I)^-1 W_S^T. Where z = l2norm(mean_t h_t),

    share_j = beta_j <q, w_j> = sum_t <p_j, h_t> <q, w_j> / (T ||mean h||)  -  <p_j, b> <q, w_j>
              tokens of the document                                           constant

and, since <q, w_j> is linear in q, also share_j = sum_t beta_j <h^q_t, w_j> / (T ||mean h^q||) over the query's tokens.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Float32, Float64, IntArray
from ..sae.projection import RIDGE


class TokenShares(NamedTuple):
    """The shares of the features of S, split over the tokens of one text, and the part that belongs to no token."""

    tokens: Float64  # [S, T]
    constant: Float64  # [S]; zero on the query's side

    @property
    def total(self) -> Float64:
        """The shares, [S]."""
        return np.asarray(self.tokens.sum(axis=1) + self.constant)


class FeatureSpan:
    """Computes the shares of a fixed set S of features from the vectors of a pair.

    Args:
        directions: W^T [F, m]. decoder_bias: b [m]. features: S.
    """

    def __init__(self, directions: Float32, decoder_bias: Float32, features: IntArray) -> None:
        self.W, self.b = directions[features].astype(np.float64), decoder_bias.astype(np.float64)
        gram = self.W @ self.W.T
        gram[np.diag_indices_from(gram)] += RIDGE
        self.readers = np.linalg.solve(gram, self.W)  # p_j [S, m]

    def shares(self, q: Float32, z: Float32) -> Float64:
        """share_j of every feature for the unit vectors q [m] and z [m]."""
        return np.asarray((self.readers @ (z - self.b)) * (self.W @ q))

    def over_document(self, q: Float32, tokens: Float32) -> TokenShares:
        """The shares split over the document's tokens h_t [T, m]; q: [m], unit."""
        along = self.W @ q
        return TokenShares((self.readers @ _parts(tokens).T) * along[:, None], -(self.readers @ self.b) * along)

    def over_query(self, z: Float32, tokens: Float32) -> TokenShares:
        """The same shares split over the query's tokens h^q_t [T, m]; z: [m], the document."""
        beta = self.readers @ (z - self.b)
        return TokenShares((self.W @ _parts(tokens).T) * beta[:, None], np.zeros(len(beta)))

    def rest_over_document(self, q: Float32, tokens: Float32) -> Float64:
        """The remainder split over the document's tokens [T]; what belongs to no token is spread evenly."""
        own = self.over_document(q, tokens)
        score = (_parts(tokens) - self.b / len(tokens)) @ q.astype(np.float64)  # without the bias
        return np.asarray(score - own.tokens.sum(axis=0) - own.constant.sum() / len(tokens))

    def rest_over_query(self, z: Float32, tokens: Float32) -> Float64:
        """The remainder split over the query's tokens [T]."""
        return np.asarray(_parts(tokens) @ (z - self.b) - self.over_query(z, tokens).tokens.sum(axis=0))


def _parts(tokens: Float32) -> Float64:
    """h_t / (T ||mean h||): the rows add up to the unit vector."""
    h = tokens.astype(np.float64)
    return np.asarray(h / (len(h) * np.linalg.norm(h.mean(axis=0))))
