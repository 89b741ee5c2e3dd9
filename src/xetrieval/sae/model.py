"""The sparse autoencoder at inference: x^ = W g(x) + b (paper, section 3).

Two forms of g serve all variants: the k largest scores of a row, or the scores above fixed thresholds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, as_floats
from ..errors import InputError, MismatchError
from ..files import path_of
from ..identity import autoencoder_digest
from .codes import SparseCodes
from .select import above, top_k

TILE_NUMBERS = 1 << 22  # scores in memory, 16 MiB
WORTH_COMPILING, WORTH_COMPILING_ONCE = 1 << 19, 1 << 28  # scores, in one of many blocks and in a single call
Scoring = Literal["float32", "bfloat16"]


@dataclass(frozen=True, eq=False)
class SparseAutoencoder:
    """g(x)_j = z_j if feature j is active, else 0;  z = W_e (x - b) + b_e;  decode(c) = W c + b.

    The k features with the largest positive z are active or, without k, those with z_j > theta_j >= 0.
    Names and shapes are those of the paper's release (encoder.weight, encoder.bias, decoder.weight, b_dec).
    """

    encoder_weight: Float32  # W_e [F, m]
    encoder_bias: Float32  # b_e [F]
    decoder_weight: Float32  # W [m, F]; column j is the direction of feature j
    decoder_bias: Float32  # b [m]
    k: int | None  # active features per row at most; None: thresholds decide
    thresholds: Float32 | None = field(default=None)  # theta [F]

    def __post_init__(self) -> None:
        features, dimension = self.encoder_weight.shape
        expected = {
            "encoder_bias": (features,),
            "decoder_weight": (dimension, features),
            "decoder_bias": (dimension,),
        }
        if self.thresholds is not None:
            expected["thresholds"] = (features,)
        for name, shape in expected.items():
            found = getattr(self, name).shape
            if found != shape:
                raise MismatchError(f"autoencoder: {name} has shape {list(found)}, expected {list(shape)}")
        if (self.k is None) == (self.thresholds is None):
            raise InputError("autoencoder: give k or thresholds, one of the two")
        if self.k is not None and not 0 < self.k <= features:
            raise InputError(f"autoencoder: k = {self.k} is not between 1 and F = {features}")
        if self.thresholds is not None and not (self.thresholds >= 0).all():
            raise InputError("autoencoder: a threshold is negative or not a number")

    def __repr__(self) -> str:
        return f"SparseAutoencoder({self.features:,} features of {self.dimension} dimensions, active: {self.form})"

    @classmethod
    def load(cls, folder: str | Path) -> SparseAutoencoder:
        """Open an autoencoder that `save` wrote.

        Raises:
            InputError: there is no such folder.
            DamagedError: a file was altered, is missing, or has an unknown version.
        """
        from .files import read_sae_folder

        return read_sae_folder(path_of(folder)).sae

    def save(
        self,
        folder: str | Path,
        provenance: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        log: str = "",
    ) -> None:
        """Write this autoencoder as a folder, completely or not at all.

        Args:
            provenance, metrics: for its config.json.
            log: of the training run, one JSON object per line.
        Raises:
            InputError: the folder exists already, or cannot be written.
        """
        from .files import write_sae_folder

        write_sae_folder(self, path_of(folder), provenance or {}, metrics or {}, log)

    @property
    def features(self) -> int:
        """F, the number of features."""
        return int(self.encoder_weight.shape[0])

    @property
    def dimension(self) -> int:
        """m, the dimension of the vectors."""
        return int(self.encoder_weight.shape[1])

    @property
    def form(self) -> str:
        """How features are chosen, in words."""
        return f"the {self.k} largest of a row" if self.k is not None else "those above fixed thresholds"

    @cached_property
    def directions(self) -> Float32:
        """W^T [F, m], contiguous: one feature direction per row."""
        return np.ascontiguousarray(self.decoder_weight.T)

    def encode(self, x: Float32, scoring: Scoring = "float32", *, bulk: bool = False) -> SparseCodes:
        """Codes of the rows of `x` [n, m], fp32. Only one tile of scores [rows, F] exists at a time.

        Large jobs run on PyTorch and the compiled training loops if both are installed, all others on NumPy, depending
        only on the size of the job and on `bulk`. The two differ in the last bits and in how they break ties at the
        k-th place, which do not occur with real embeddings.

        Args:
            bulk: this is one of many calls, so loading PyTorch (seconds) pays off for smaller jobs.
            scoring: with k, "bfloat16" finds candidates by half-precision products (needs torch; worthwhile on hardware
                with bfloat16 support) and rescores them in fp32. Unless the rounding bound proves which features are
                active, it rescores the whole row in fp32; the result is always the fp32 set.
        Raises:
            InputError: not a matrix of numbers, the wrong dimension, a row with NaN or infinite numbers.
        """
        x, bias = self._matrix(x), self._score_bias
        if x.size and not np.isfinite(sizes := np.maximum(x.max(axis=1), -x.min(axis=1))).all():
            raise InputError(f"autoencoder: row {int(np.argmin(np.isfinite(sizes)))} contains NaN or infinite numbers")
        if (scoring == "bfloat16" and self.k is not None) or _compiles(len(x) * self.features, bulk=bulk):
            from .compiled_codes import compiled_codes

            return compiled_codes(x, self.encoder_weight, bias, self.k, self.thresholds, scoring)
        tiles = self._scores(x)
        if self.k is None:
            bounds = np.asarray(self.thresholds, np.float32)
            parts = [above(scores, bounds) for scores in tiles]
            columns: Any = [np.concatenate([part[i] for part in parts]) for i in range(3)] if parts else _NOTHING
            return SparseCodes.of_ragged(*columns)
        codes = SparseCodes(np.empty((len(x), self.k), np.int32), np.empty((len(x), self.k), np.float32))
        done = 0
        for scores in tiles:
            rows = slice(done, done + len(scores))
            codes.features[rows], values = top_k(scores, self.k)
            np.maximum(values, 0.0, out=codes.values[rows])
            done += len(scores)
        return codes

    def _matrix(self, x: Any) -> Float32:
        """`x` as [n, m] in fp32; rows are not normalised, because activations depend on their length."""
        with np.errstate(over="ignore"):  # values beyond float32 become infinite and are refused
            matrix: Float32 = as_floats(x, "autoencoder").astype(np.float32, copy=False)
        if matrix.ndim != 2 or matrix.shape[1] != self.dimension:
            raise InputError(f"autoencoder: expected vectors [n, {self.dimension}], got shape {list(matrix.shape)}")
        return matrix

    def decode(self, codes: SparseCodes) -> Float32:
        """x^ = W c + b, [n, m]."""
        out = np.empty((len(codes), self.dimension), np.float32)
        for row in range(len(codes)):
            out[row] = codes.values[row] @ self.directions[codes.features[row]]
        out += self.decoder_bias
        return out

    @cached_property
    def retired(self) -> NDArray[np.bool_]:
        """Marks features that were lost when the autoencoder was retrained, [F]; they are never active."""
        return np.asarray(~self.encoder_weight.any(axis=1))

    @cached_property
    def digest(self) -> str:
        """A hash of its features; k does not change it. See `identity`."""
        return autoencoder_digest(
            self.encoder_weight, self.encoder_bias, self.decoder_weight, self.decoder_bias, self.thresholds
        )

    @cached_property
    def _score_bias(self) -> Float32:
        """b_e - W_e b, so that z = W_e x + this."""
        return np.asarray(self.encoder_bias - self.encoder_weight @ self.decoder_bias, np.float32)

    def _scores(self, x: Float32) -> Any:
        tile = max(16, TILE_NUMBERS // self.features)
        memory = np.empty((min(tile, len(x)), self.features), np.float32)
        for start in range(0, len(x), tile):
            rows = x[start : start + tile]
            scores = np.matmul(rows, self.encoder_weight.T, out=memory[: len(rows)])
            scores += self._score_bias
            yield scores


def gated_as_jumprelu(
    encoder_weight: Float32, r: Float32, gate_bias: Float32, size_bias: Float32
) -> tuple[Float32, Float32, Float32]:
    """Encoder weight, bias and thresholds of a gated autoencoder (Rajamanoharan et al. 2024a, appendix).

    The gate opens where u = W_e (x - b) > -b_e; the size is e^r u + b_m. So it is a jumprelu with z = e^r u + b_m and
    theta = max(0, b_m - e^r b_e).
    """
    stretch = np.exp(r)
    return stretch[:, None] * encoder_weight, size_bias, np.maximum(size_bias - stretch * gate_bias, 0.0)


def _compiles(scores: int, *, bulk: bool) -> bool:
    """Whether a job of this size runs on PyTorch and the compiled loops."""
    worth = scores >= (WORTH_COMPILING if bulk else WORTH_COMPILING_ONCE)
    return worth and find_spec("torch") is not None and find_spec("numba") is not None


_NOTHING = (np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
