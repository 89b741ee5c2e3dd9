"""The sparse autoencoder at inference: x^ = W g(x) + b, with g a row-wise top-k (paper, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..arrays import Float32
from ..errors import InputError, MismatchError
from .codes import SparseCodes
from .select import top_k

TILE = 2048  # rows whose scores exist at one time


@dataclass(frozen=True, eq=False)
class SparseAutoencoder:
    """g(x) = top_k(ReLU(W_e (x - b) + b_e)); decode(c) = W c + b.

    Same letters and shapes as the paper's release (keys encoder.weight, encoder.bias, decoder.weight, b_dec).
    """

    encoder_weight: Float32  # W_e [F, m]
    encoder_bias: Float32  # b_e [F]
    decoder_weight: Float32  # W [m, F]; column j is the direction of feature j
    decoder_bias: Float32  # b [m]
    k: int

    def __post_init__(self) -> None:
        features, dimension = self.encoder_weight.shape
        expected = {
            "encoder_bias": (features,),
            "decoder_weight": (dimension, features),
            "decoder_bias": (dimension,),
        }
        for name, shape in expected.items():
            found = getattr(self, name).shape
            if found != shape:
                raise MismatchError(f"autoencoder: {name} has shape {list(found)}, expected {list(shape)}")
        if not 0 < self.k <= features:
            raise InputError(f"autoencoder: k = {self.k} is not between 1 and F = {features}")

    @property
    def features(self) -> int:
        """F, the number of features."""
        return int(self.encoder_weight.shape[0])

    @property
    def dimension(self) -> int:
        """m, the dimension of the vectors."""
        return int(self.encoder_weight.shape[1])

    @cached_property
    def directions(self) -> Float32:
        """W^T [F, m], contiguous: one feature direction a row."""
        return np.ascontiguousarray(self.decoder_weight.T)

    def encode(self, x: Float32) -> SparseCodes:
        """Codes of the rows of `x` [n, m], fp32. Only one tile of scores [2048, F] exists at a time.

        Ties at the k-th place are broken arbitrarily; they do not occur on real embeddings.
        """
        n = len(x)
        codes = SparseCodes(np.empty((n, self.k), np.int32), np.empty((n, self.k), np.float32))
        weight = self.encoder_weight.T
        bias = self.encoder_bias - self.decoder_bias @ weight
        for start in range(0, n, TILE):
            rows = slice(start, start + TILE)
            scores = x[rows] @ weight
            scores += bias
            kept = top_k(scores, self.k)
            codes.features[rows] = kept
            codes.values[rows] = np.maximum(np.take_along_axis(scores, kept, axis=1), 0.0)
        return codes

    def decode(self, codes: SparseCodes) -> Float32:
        """x^ = W c + b, [n, m]."""
        out = np.empty((len(codes), self.dimension), np.float32)
        for row in range(len(codes)):
            out[row] = codes.values[row] @ self.directions[codes.features[row]]
        out += self.decoder_bias
        return out
