"""The products of a training step in plain PyTorch, for any device."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

from ...extras import require
from .pattern import Pattern, Transposed

if TYPE_CHECKING:
    from torch import Tensor

PULL_TILE = 1 << 24  # numbers gathered at a time


class Kernels:
    """C is the sparse code [n, F] of a batch; x, e are [n, m]; W [F, m] has one direction per row. All are tensors."""

    def __init__(self) -> None:
        self.torch: ModuleType = require("torch", "train")

    def top_k(self, scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Ids (int32) and values of the k largest scores of each row, [n, k], unordered."""
        values, ids = self.torch.topk(scores, k, dim=1, sorted=False)
        return ids.int(), values

    def above(self, scores: Tensor, bounds: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """How many scores of each row exceed the bound of their feature [n] (int64), and their ids and scores, row by
        row."""
        over = scores > bounds
        _, ids = self.torch.nonzero(over, as_tuple=True)
        return over.sum(1), ids.int(), scores[over]

    def starts(self, counts: Tensor) -> Tensor:
        """Where each row of `counts` entries begins, [n + 1]."""
        out = self.torch.zeros(len(counts) + 1, dtype=self.torch.int64, device=counts.device)
        self.torch.cumsum(counts, 0, out=out[1:])
        return out

    def part(self, pattern: Pattern, chosen: Tensor) -> Pattern:
        """The entries where `chosen` [entries] is true."""
        return Pattern(self.starts(chosen)[pattern.starts], pattern.columns[chosen])

    def scores(self, x: Tensor, We: Tensor, be: Tensor, tile: int) -> Iterator[Tensor]:
        """x We^T + be [n, F], `tile` rows at a time, each tile reusing the memory of the previous one."""
        memory = self.torch.empty(min(tile, len(x)), len(We), device=x.device)
        for first in range(0, len(x), tile):
            rows = x[first : first + tile]
            yield self.torch.addmm(be, rows, We.T, out=memory[: len(rows)])

    def decode(self, pattern: Pattern, values: Tensor, W: Tensor, x: Tensor) -> Tensor:
        """x - C W, [n, m]."""
        return x - self._bag(pattern.columns, pattern.starts, values, W)

    def pull(self, pattern: Pattern, W: Tensor, x: Tensor, scale: float) -> Tensor:
        """scale * <x_i, W_j> at the pattern's entries, [entries]."""
        rows = self.torch.repeat_interleave(pattern.starts.diff())
        out = self.torch.empty(len(pattern.columns), device=x.device)
        tile = max(1, PULL_TILE // x.shape[1])
        for first in range(0, len(out), tile):
            part = slice(first, first + tile)
            out[part] = (x[rows[part]] * W[pattern.columns[part]]).sum(1)
        return out.mul_(scale)

    def decode_and_pull(
        self, pattern: Pattern, values: Tensor, W: Tensor, x: Tensor, scale: float
    ) -> tuple[Tensor, Tensor]:
        """e = x - C W, and scale * <e_i, W_j> at the pattern's entries."""
        error = self.decode(pattern, values, W, x)
        return error, self.pull(pattern, W, error, scale)

    def transpose(self, pattern: Pattern, features: int) -> Transposed:
        """The pattern by feature."""
        places = self.torch.argsort(pattern.columns, stable=True)
        rows = self.torch.repeat_interleave(pattern.starts.diff())[places]
        return Transposed(self.starts(self.torch.bincount(pattern.columns, minlength=features)), rows.int(), places)

    def gather(
        self, by_feature: Transposed, values: Tensor, x: Tensor, scale: float, out: Tensor, first: int, last: int
    ) -> None:
        """out[first:last] = scale * C^T x for those features."""
        low, high = int(by_feature.starts[first]), int(by_feature.starts[last])
        starts = by_feature.starts[first : last + 1] - low
        out[first:last] = self._bag(by_feature.rows[low:high], starts, values[by_feature.places[low:high].long()], x)
        out[first:last] *= scale

    def sums(self, by_feature: Transposed, values: Tensor) -> Tensor:
        """Sum of each feature's values, [F]."""
        features = self.torch.repeat_interleave(by_feature.starts.diff())
        total = self.torch.zeros(len(by_feature.starts) - 1, device=values.device)
        return total.index_add_(0, features, values[by_feature.places.long()])

    def tangent(self, gradient: Tensor, W: Tensor) -> float:
        """Remove from `gradient`, in place, the part along the unit rows of W; returns the squared norm of the rest."""
        gradient -= (gradient * W).sum(1, keepdim=True) * W
        return float((gradient**2).sum())

    def kth_largest(self, values: Tensor, k: int) -> float:
        """The k-th largest of `values` [entries]."""
        return float(self.torch.kthvalue(values, len(values) - k + 1).values)

    def _bag(self, ids: Tensor, starts: Tensor, values: Tensor, W: Tensor) -> Tensor:
        bag = self.torch.nn.functional.embedding_bag
        if not len(ids):
            return W.new_zeros(len(starts) - 1, W.shape[1])
        return bag(ids.long(), W, starts[:-1], per_sample_weights=values, mode="sum")
