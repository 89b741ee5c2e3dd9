"""The entries of a batch that matter, found tile by tile: the one place where scores of all features exist."""

from __future__ import annotations

import math
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from ..kernels import Kernels
from ..kernels.pattern import Pattern
from .config import SaeConfig

if TYPE_CHECKING:
    from torch import Tensor

TILE_NUMBERS = 1 << 22  # scores at one time: 16 MiB; smaller tiles slow the product, larger ones the selection
SLACK = 0.12  # how far below the last cut of a batch the next one may lie before its scores are read again


class Found(NamedTuple):
    """The pattern of a batch, its pre-activations, and where it was cut."""

    pattern: Pattern
    z: Tensor  # [entries]
    guess: float


def tile_rows(features: int) -> int:
    """Rows whose scores make one tile."""
    return max(16, TILE_NUMBERS // features)


def score_entries(
    torch: ModuleType,
    kernels: Kernels,
    config: SaeConfig,
    architecture: Tensor,
    w: dict[str, Tensor],
    centred: Tensor,
    guess: float,
) -> Found:
    """z = W_e (x - b) + b_e at the entries that matter to the variant, rows in order."""
    name = config.kind.architecture
    if name == "topk":
        return _row_wise(torch, kernels, config, w, centred)
    if name == "batchtopk":
        return _batch_wise(torch, kernels, config, w, centred, guess)
    pattern, z = _above(torch, kernels, w, centred, architecture.bounds(w))
    return Found(pattern, z, guess)


def _row_wise(torch: ModuleType, kernels: Kernels, config: SaeConfig, w: dict[str, Tensor], centred: Tensor) -> Found:
    k = config.k
    if config.scoring == "bfloat16":
        from ..compiled_codes import top_k_by_candidates

        ids, z = top_k_by_candidates(torch, kernels, centred, w["We"], w["be"], k)
    else:
        parts = [kernels.top_k(scores, k) for scores in _tiles(torch, w, centred)]
        ids, z = torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])
    starts = torch.arange(0, ids.numel() + 1, k, device=centred.device)
    return Found(Pattern(starts, ids.flatten()), z.flatten(), math.nan)


def _batch_wise(
    torch: ModuleType, kernels: Kernels, config: SaeConfig, w: dict[str, Tensor], centred: Tensor, guess: float
) -> Found:
    """The k n largest positive scores of the batch, exactly: those above a guess are gathered, then cut."""
    wanted = max(1, round(config.l0 * len(centred)))
    if math.isnan(guess):  # no batch yet: a few rows say where it may lie
        some = torch.addmm(w["be"], centred[:256], w["We"].T).flatten()
        guess = kernels.kth_largest(some, min(some.numel(), max(1, round(1.2 * config.l0 * len(centred[:256])))))
    while True:
        bound = max(0.0, guess)
        pattern, z = _above(torch, kernels, w, centred, torch.full_like(w["be"], bound))
        if len(z) >= wanted or bound == 0.0:
            break
        guess = guess - max(2 * SLACK * guess, 1e-3)
    if len(z) <= wanted:
        return Found(pattern, z, bound)
    cut = kernels.kth_largest(z, wanted)
    kept = z >= cut
    before = torch.zeros(len(z) + 1, dtype=torch.int64, device=z.device)
    torch.cumsum(kept, 0, out=before[1:])
    return Found(Pattern(before[pattern.starts], pattern.columns[kept]), z[kept], cut * (1 - SLACK))


def _above(
    torch: ModuleType, kernels: Kernels, w: dict[str, Tensor], centred: Tensor, bounds: Tensor
) -> tuple[Pattern, Tensor]:
    parts = [kernels.above(scores, bounds) for scores in _tiles(torch, w, centred)]
    counts, columns, z = (torch.cat([part[place] for part in parts]) for place in range(3))
    return Pattern(kernels.starts(counts), columns), z


def _tiles(torch: ModuleType, w: dict[str, Tensor], centred: Tensor) -> Tensor:
    """Scores of a few rows at a time, each in the memory of the one before."""
    tile = tile_rows(len(w["be"]))
    memory = torch.empty(min(tile, len(centred)), len(w["be"]), device=centred.device)
    for first in range(0, len(centred), tile):
        rows = centred[first : first + tile]
        yield torch.addmm(w["be"], rows, w["We"].T, out=memory[: len(rows)])
