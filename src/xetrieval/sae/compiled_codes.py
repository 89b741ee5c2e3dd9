"""Codes of many rows: PyTorch for products, compiled loops for selection, and optionally candidates in half precision.

A bfloat16 number keeps 8 bits, so each factor of <x, w> is off by at most 2^-9 of itself, their product by a little
over 2^-8, and the rounded result by another 2^-9. By Cauchy-Schwarz, a half-precision score of a row is within

    epsilon = 2^-7 ||x|| max_j ||w_j||

of the fp32 one. A row keeps 2 k candidates and re-scores them. If its k-th exact score is above its smallest
candidate plus epsilon, no other score can be larger, and the support is proven; else the row is rescored in fp32.

(NumPy's products and the compiled loops use two thread pools, each of which spins while the other works, making it
three times slower than either on its own. PyTorch and the loops share one.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..arrays import Float32
from ..extras import require
from .codes import SparseCodes
from .kernels import Kernels, Pattern, kernels_for

if TYPE_CHECKING:
    from torch import Tensor

PER_K: Final = 2  # candidates for each kept feature
EPSILON: Final = 2.0**-7
TILE_NUMBERS: Final = (
    1 << 23
)  # scores in memory, 32 MiB; large tiles help the product more than small ones help the cache


def compiled_codes(
    x: Float32, encoder_weight: Float32, bias: Float32, k: int | None, thresholds: Float32 | None, scoring: str
) -> SparseCodes:
    """Codes of `x` [n, m] with z = x W_e^T + bias, as `SparseAutoencoder.encode` gives them."""
    torch, kernels = require("torch", "train"), kernels_for("cpu")
    rows, We, be = (torch.from_numpy(np.require(a, np.float32, ("C", "W"))) for a in (x, encoder_weight, bias))
    if k is not None and scoring == "bfloat16":
        ids, values = top_k_by_candidates(kernels, rows, We, be, k)
        return SparseCodes(ids.numpy(), values.clamp_min_(0.0).numpy())
    tiles = kernels.scores(rows, We, be, _tile_rows(We))
    if k is not None:
        codes, done = SparseCodes(np.empty((len(x), k), np.int32), np.empty((len(x), k), np.float32)), 0
        for scores in tiles:
            some = slice(done, done := done + len(scores))
            ids, values = kernels.top_k(scores, k)
            codes.features[some], codes.values[some] = ids.numpy(), values.clamp_min_(0.0).numpy()
        return codes
    bounds = torch.from_numpy(np.require(thresholds, np.float32, ("C", "W")))
    parts = [kernels.above(scores, bounds) for scores in tiles]
    counts, columns, activations = (torch.cat([part[i] for part in parts]).numpy() for i in range(3))
    return SparseCodes.of_ragged(counts, columns, activations)


def _tile_rows(We: Tensor) -> int:
    return max(16, TILE_NUMBERS // len(We))


def top_k_by_candidates(kernels: Kernels, x: Tensor, We: Tensor, be: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Ids (int32) and fp32 values of the k largest scores x We^T + be of each row, [n, k]."""
    torch, half, longest = kernels.torch, We.bfloat16(), float(We.norm(dim=1).max())
    parts = [_tile(kernels, rows, (We, be, half, longest), k) for rows in x.split(_tile_rows(We))]
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


def _tile(kernels: Kernels, x: Tensor, scorer: tuple[Tensor, Tensor, Tensor, float], k: int) -> tuple[Tensor, Tensor]:
    We, be, half, longest = scorer  # half: We in bfloat16; longest: max_j ||w_j||
    torch, n, width = kernels.torch, len(x), min(len(We), PER_K * k)
    rough = (x.bfloat16() @ half.T).float() + be
    ids, coarse = kernels.top_k(rough, width)
    starts = torch.arange(0, n * width + 1, width, device=x.device)
    exact = kernels.pull(Pattern(starts, ids.flatten()), We, x, 1.0).view(n, width) + be[ids.long()]
    place, kept = kernels.top_k(exact, k)
    chosen = torch.gather(ids, 1, place.long())
    if width < len(We):
        proven = kept.min(1).values > coarse.min(1).values + EPSILON * longest * x.norm(dim=1)
        doubtful = torch.nonzero(~proven).flatten()
        if len(doubtful):
            chosen[doubtful], kept[doubtful] = kernels.top_k(torch.addmm(be, x[doubtful], We.T), k)
    return chosen, kept
