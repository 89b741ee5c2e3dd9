"""Finds the entries of a batch that matter, tile by tile; nowhere else do scores of all features exist."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from ...configs import SaeConfig
from ..kernels import Kernels, Pattern
from .architectures import Rectified

if TYPE_CHECKING:
    from torch import Tensor

SLACK: Final = 0.12  # if a batch's cutoff is lower than the last one by more than this, its scores are computed again


class Found(NamedTuple):
    """The pattern of a batch, its pre-activations, and the score that bounded it."""

    pattern: Pattern
    z: Tensor  # [entries]
    guess: float


def score_entries(
    kernels: Kernels,
    config: SaeConfig,
    architecture: Rectified,
    w: dict[str, Tensor],
    centred: Tensor,
    guess: float,
) -> Found:
    """z = W_e (x - b) + b_e at the entries that matter to the variant, rows in order."""
    name = config.kind.architecture
    if name == "topk":
        return _row_wise(kernels, config, w, centred)
    if name == "batchtopk":
        return _batch_wise(kernels, config, w, centred, guess)
    pattern, z = _above(kernels, w, centred, architecture.bounds(w))
    return Found(pattern, z, guess)


def _row_wise(kernels: Kernels, config: SaeConfig, w: dict[str, Tensor], centred: Tensor) -> Found:
    torch, k = kernels.torch, config.k
    if config.scoring == "bfloat16":
        from ..compiled_codes import top_k_by_candidates

        ids, z = top_k_by_candidates(kernels, centred, w["We"], w["be"], k)
    else:
        tiles = kernels.scores(centred, w["We"], w["be"], kernels.tile_rows(config.features))
        ids, z = map(torch.cat, zip(*(kernels.top_k(scores, k) for scores in tiles), strict=True))
    starts = torch.arange(0, ids.numel() + 1, k, device=centred.device)
    return Found(Pattern(starts, ids.flatten()), z.flatten(), math.nan)


def _batch_wise(kernels: Kernels, config: SaeConfig, w: dict[str, Tensor], centred: Tensor, guess: float) -> Found:
    """The k n largest positive scores of the batch, exactly: gathers the scores above a guess and keeps the largest."""
    torch, wanted = kernels.torch, max(1, round(config.l0 * len(centred)))
    if math.isnan(guess):  # the first batch: a few rows show roughly where the cutoff is
        some = torch.addmm(w["be"], centred[:256], w["We"].T).flatten()
        guess = kernels.kth_largest(some, min(some.numel(), max(1, round(1.2 * config.l0 * len(centred[:256])))))
    while True:
        bound = max(0.0, guess)
        pattern, z = _above(kernels, w, centred, torch.full_like(w["be"], bound))
        if len(z) >= wanted or bound == 0.0:
            break
        guess = guess - max(2 * SLACK * guess, 1e-3)
    if len(z) <= wanted:
        return Found(pattern, z, bound)
    cut = kernels.kth_largest(z, wanted)
    kept = z >= cut
    return Found(kernels.part(pattern, kept), z[kept], cut * (1 - SLACK))


def _above(kernels: Kernels, w: dict[str, Tensor], centred: Tensor, bounds: Tensor) -> tuple[Pattern, Tensor]:
    tiles = kernels.scores(centred, w["We"], w["be"], kernels.tile_rows(len(bounds)))
    parts = zip(*(kernels.above(scores, bounds) for scores in tiles), strict=True)
    counts, columns, z = map(kernels.torch.cat, parts)
    return Pattern(kernels.starts(counts), columns), z
