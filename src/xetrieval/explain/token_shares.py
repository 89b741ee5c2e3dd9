"""Where in a text a feature's share comes from, exactly (method: linearity of beta in z).

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
    """The share of each feature of S, over the tokens of one text, plus what belongs to none of them."""

    tokens: Float64  # [S, T]
    constant: Float64  # [S]; zero on the query's side

    @property
    def total(self) -> Float64:
        """The shares, [S]."""
        return np.asarray(self.tokens.sum(axis=1) + self.constant)


def document_token_shares(
    q: Float32, tokens: Float32, directions: Float32, decoder_bias: Float32, features: IntArray
) -> TokenShares:
    """Split shares over the document's tokens.

    Args:
        q: [m], unit. tokens: h_t [T, m]. directions: W^T [F, m]. features: S, all features of the pair.
    """
    along, readers = _readers(q, directions, features)
    per_token = (readers @ _parts(tokens).T) * along[:, None]
    return TokenShares(per_token, -(readers @ decoder_bias.astype(np.float64)) * along)


def query_token_shares(
    z: Float32, tokens: Float32, directions: Float32, decoder_bias: Float32, features: IntArray
) -> TokenShares:
    """Split the same shares over the query's tokens: h^q_t [T, m]; z: [m], the document."""
    _, readers = _readers(z, directions, features)
    beta = readers @ (z.astype(np.float64) - decoder_bias)
    W = directions[features].astype(np.float64)
    return TokenShares((W @ _parts(tokens).T) * beta[:, None], np.zeros(len(features)))


def shares_of(q: Float32, z: Float32, directions: Float32, decoder_bias: Float32, features: IntArray) -> Float64:
    """share_j of every feature of S for another document vector z [m], with S held fixed."""
    along, readers = _readers(q, directions, features)
    return np.asarray((readers @ (z.astype(np.float64) - decoder_bias)) * along)


def _readers(q: Float32, directions: Float32, features: IntArray) -> tuple[Float64, Float64]:
    """<q, w_j> [S] and p_j [S, m]."""
    W = directions[features].astype(np.float64)
    gram = W @ W.T
    gram[np.diag_indices_from(gram)] += RIDGE
    return W @ q.astype(np.float64), np.asarray(np.linalg.solve(gram, W), np.float64)


def _parts(tokens: Float32) -> Float64:
    """h_t / (T ||mean h||): the rows add up to the unit vector."""
    h = tokens.astype(np.float64)
    return np.asarray(h / (len(h) * np.linalg.norm(h.mean(axis=0))))
