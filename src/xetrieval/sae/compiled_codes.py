"""Codes of many rows: PyTorch's products, compiled loops to select, and candidates in half precision where asked.

A bfloat16 number keeps 8 bits, so each factor of <x, w> is off by at most 2^-9 of itself, their product by a little
over 2^-8, and the rounded result by another 2^-9. By Cauchy and Schwarz a half-precision score of a row lies within

    epsilon = 2^-7 ||x|| max_j ||w_j||

of the fp32 one. A row keeps 2 k candidates and re-scores them. If its k-th exact score is above its least candidate
plus epsilon, no score left out can be larger, and the support is proven; else the whole row is scored in fp32.

(NumPy's products and the compiled loops bring two pools of threads, each of which spins while the other works: three
times as slow as either alone. PyTorch and the loops share one.)
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..arrays import Float32
from ..extras import require
from .codes import SparseCodes
from .kernels import Kernels, kernels_for
from .kernels.pattern import Pattern

if TYPE_CHECKING:
    from torch import Tensor

PER_K: Final = 2  # candidates for each kept feature
EPSILON: Final = 2.0**-7
TILE_NUMBERS: Final = 1 << 23  # scores at one time: 32 MiB; large tiles suit the product more than small ones the cache


def compiled_codes(
    x: Float32, encoder_weight: Float32, bias: Float32, k: int | None, thresholds: Float32 | None, scoring: str
) -> SparseCodes:
    """Codes of `x` [n, m] with z = x W_e^T + bias, as `SparseAutoencoder.encode` gives them."""
    torch, kernels = require("torch", "train"), kernels_for("cpu")
    rows, We, be = (torch.from_numpy(np.require(a, np.float32, ("C", "W"))) for a in (x, encoder_weight, bias))
    if k is not None and scoring == "bfloat16":
        ids, values = top_k_by_candidates(torch, kernels, rows, We, be, k)
        return SparseCodes(ids.numpy(), values.clamp_min_(0.0).numpy())
    if k is not None:
        codes = SparseCodes(np.empty((len(x), k), np.int32), np.empty((len(x), k), np.float32))
        for first, scores in _tiles(torch, rows, We, be):
            ids, values = kernels.top_k(scores, k)
            codes.features[first : first + len(scores)] = ids.numpy()
            codes.values[first : first + len(scores)] = values.clamp_min_(0.0).numpy()
        return codes
    bounds = torch.from_numpy(np.require(thresholds, np.float32, ("C", "W")))
    parts = [kernels.above(scores, bounds) for _, scores in _tiles(torch, rows, We, be)]
    counts, columns, activations = (torch.cat([part[i] for part in parts]).numpy() for i in range(3))
    return SparseCodes.of_ragged(counts, columns, activations)


def _tiles(torch: ModuleType, x: Tensor, We: Tensor, be: Tensor) -> Tensor:
    tile = max(16, TILE_NUMBERS // len(We))
    memory = torch.empty(min(tile, len(x)), len(We))
    for first in range(0, len(x), tile):
        rows = x[first : first + tile]
        yield first, torch.addmm(be, rows, We.T, out=memory[: len(rows)])


def top_k_by_candidates(
    torch: ModuleType, kernels: Kernels, x: Tensor, We: Tensor, be: Tensor, k: int
) -> tuple[Tensor, Tensor]:
    """Ids (int32) and fp32 values of the k largest scores x We^T + be of each row, [n, k]."""
    scorer = _Scorer(We, be, We.bfloat16(), float(We.norm(dim=1).max()))
    tile = max(16, TILE_NUMBERS // len(We))
    parts = [_tile(torch, kernels, x[i : i + tile], scorer, k) for i in range(0, len(x), tile)]
    if not parts:
        return torch.empty((0, k), dtype=torch.int32), torch.empty((0, k))
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


class _Scorer(NamedTuple):
    We: Tensor
    be: Tensor
    half: Tensor  # We in bfloat16
    longest: float  # max_j ||w_j||


def _tile(torch: ModuleType, kernels: Kernels, x: Tensor, scorer: _Scorer, k: int) -> tuple[Tensor, Tensor]:
    We, be, half, longest = scorer
    n, width = len(x), min(len(We), PER_K * k)
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
