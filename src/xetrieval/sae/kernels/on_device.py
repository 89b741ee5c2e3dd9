"""The products of a training step in plain PyTorch, for any device.

C is made dense for each product. A GPU multiplies dense matrices faster than it reads a row of W for each entry: the
paper's size has one entry in 32.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

from ...extras import require
from .pattern import ByFeature, Part, Pattern

if TYPE_CHECKING:
    from torch import Tensor

DENSE_NUMBERS = 1 << 27  # scores, or numbers of C with its zeros, in memory: 512 MiB


class Kernels:
    """C is the sparse code [n, F] of a batch; x, e are [n, m]; W [F, m] has one direction per row. All are tensors."""

    def __init__(self) -> None:
        self.torch: ModuleType = require("torch", "train")

    def tile_rows(self, features: int) -> int:
        """How many rows of scores are computed at a time."""
        return max(16, DENSE_NUMBERS // features)

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
        out = self.torch.empty_like(x)
        for part in self._parts(pattern, len(W)):
            dense = self._dense(part, values, len(W))
            self.torch.addmm(x[part.rows], dense, W, alpha=-1.0, out=out[part.rows])
        return out

    def pull(self, pattern: Pattern, W: Tensor, x: Tensor, scale: float) -> Tensor:
        """scale * <x_i, W_j> at the pattern's entries, [entries]."""
        out = self.torch.empty(len(pattern.columns), device=x.device)
        for part in self._parts(pattern, len(W)):
            self.torch.take(x[part.rows] @ W.T, part.places, out=out[part.entries])
        return out.mul_(scale)

    def decode_and_pull(
        self, pattern: Pattern, values: Tensor, W: Tensor, x: Tensor, scale: float
    ) -> tuple[Tensor, Tensor]:
        """e = x - C W, and scale * <e_i, W_j> at the pattern's entries."""
        error, out = self.torch.empty_like(x), self.torch.empty(len(pattern.columns), device=x.device)
        for part in self._parts(pattern, len(W)):
            dense = self._dense(part, values, len(W))
            rest = self.torch.addmm(x[part.rows], dense, W, alpha=-1.0, out=error[part.rows])
            self.torch.take(rest @ W.T, part.places, out=out[part.entries])
        return error, out.mul_(scale)

    def by_feature(self, pattern: Pattern, features: int) -> ByFeature:
        """The pattern, prepared for sums over the entries of each feature."""
        return ByFeature(features, tuple(self._parts(pattern, features)))

    def gather(
        self, entries: ByFeature, values: Tensor, x: Tensor, scale: float, out: Tensor, first: int, last: int
    ) -> None:
        """out[first:last] = scale * C^T x for those features."""
        some = out[first:last].zero_()
        for part in entries.parts:
            dense = self._dense(part, values, entries.features)
            some.addmm_(dense[:, first:last].T, x[part.rows], alpha=scale)

    def sums(self, entries: ByFeature, values: Tensor) -> Tensor:
        """Sum of each feature's values, [F]; their order is fixed, as it would not be with index_add."""
        total = values.new_zeros(entries.features)
        for part in entries.parts:
            total += self._dense(part, values, entries.features).sum(0)
        return total

    def tangent(self, gradient: Tensor, W: Tensor) -> float:
        """Remove from `gradient`, in place, the part along the unit rows of W; returns the squared norm of the rest."""
        gradient -= (gradient * W).sum(1, keepdim=True) * W
        return float((gradient**2).sum())

    def kth_largest(self, values: Tensor, k: int) -> float:
        """The k-th largest of `values` [entries]."""
        return float(self.torch.kthvalue(values, len(values) - k + 1).values)

    def _parts(self, pattern: Pattern, features: int) -> Iterator[Part]:
        """The rows of C, as many at a time as may be dense."""
        rows, step, entries = len(pattern.starts) - 1, self.tile_rows(features), len(pattern.columns)
        cuts = [0] if rows <= step else pattern.starts[:rows:step].tolist()
        for first, low, high in zip(range(0, rows, step), cuts, [*cuts[1:], entries], strict=True):
            counts = pattern.starts[first : first + step + 1].diff()
            row = self.torch.repeat_interleave(counts, output_size=high - low)
            yield Part(slice(first, first + len(counts)), slice(low, high), row * features + pattern.columns[low:high])

    def _dense(self, part: Part, values: Tensor, features: int) -> Tensor:
        """Those rows of C, with their zeros."""
        out = values.new_zeros((part.rows.stop - part.rows.start) * features)
        return out.scatter_(0, part.places, values[part.entries]).view(-1, features)
