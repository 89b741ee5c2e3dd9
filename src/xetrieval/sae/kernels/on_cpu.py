"""The products of a training step on the processor: torch tensors in and out, compiled loops between."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...extras import require
from .on_device import Kernels
from .pattern import ByFeature, Pattern, Transposed

if TYPE_CHECKING:
    from torch import Tensor

TILE_NUMBERS = 1 << 22  # scores in memory, 16 MiB; smaller tiles slow products down, larger ones the selection
WORTH_SHARING = 1 << 17  # products; with fewer, one thread finishes before others have started


class CpuKernels(Kernels):
    """The same products, faster; see `Kernels` for what each method computes. Threads do not change the results."""

    def __init__(self) -> None:
        self.numba: Tensor = require("numba", "train")
        from . import compiled

        super().__init__()
        self.loops: Tensor = compiled
        self.threads = min(int(self.torch.get_num_threads()), int(self.numba.config.NUMBA_NUM_THREADS))

    def tile_rows(self, features: int) -> int:
        return max(16, TILE_NUMBERS // features)

    def _threads(self, work: int) -> int:
        """Set the number of threads that is worthwhile for `work` products, and return it."""
        threads = self.threads if work >= WORTH_SHARING else 1
        self.numba.set_num_threads(threads)
        return threads

    def _run(self, loop: Callable[..., Tensor], work: int, *parameters: Tensor | int) -> None:
        """Run a loop on the memory of tensors, with as many threads as are worthwhile for `work` products."""
        self._threads(work)
        loop(*(one.numpy() if isinstance(one, self.torch.Tensor) else one for one in parameters))

    def top_k(self, scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
        n = len(scores)
        ids, values = self.torch.empty((n, k), dtype=self.torch.int32), self.torch.empty((n, k))
        work = scores.numel()
        self._run(self.loops.top_k, work, scores, k, self._threads(work), ids, values)
        return ids, values

    def above(self, scores: Tensor, bounds: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        counts = self.torch.empty(len(scores), dtype=self.torch.int64)
        self._run(self.loops.count_above, scores.numel(), scores, bounds, counts)
        starts = self.starts(counts)
        entries = int(starts[-1])
        ids, values = self.torch.empty(entries, dtype=self.torch.int32), self.torch.empty(entries)
        self._run(self.loops.fill_above, scores.numel(), scores, bounds, starts, ids, values)
        return counts, ids, values

    def decode(self, pattern: Pattern, values: Tensor, W: Tensor, x: Tensor) -> Tensor:
        error = self.torch.empty_like(x)
        self._run(self.loops.decode, values.numel() * x.shape[1], *pattern, values, W, x, error)
        return error

    def pull(self, pattern: Pattern, W: Tensor, x: Tensor, scale: float) -> Tensor:
        out = self.torch.empty(len(pattern.columns))
        self._run(self.loops.pull, out.numel() * x.shape[1], *pattern, W, x, scale, out)
        return out

    def decode_and_pull(
        self, pattern: Pattern, values: Tensor, W: Tensor, x: Tensor, scale: float
    ) -> tuple[Tensor, Tensor]:
        error, out = self.torch.empty_like(x), self.torch.empty(len(pattern.columns))
        work = 2 * values.numel() * x.shape[1]
        self._run(self.loops.decode_and_pull, work, *pattern, values, W, x, scale, error, out)
        return error, out

    def by_feature(self, pattern: Pattern, features: int) -> ByFeature:
        starts = self.torch.zeros(features + 1, dtype=self.torch.int64)
        rows, places = self.torch.empty_like(pattern.columns), self.torch.empty_like(pattern.columns)
        self._run(self.loops.transpose, 0, *pattern, starts, rows, places)
        return ByFeature(features, transposed=Transposed(starts, rows, places))

    def gather(
        self, entries: ByFeature, values: Tensor, x: Tensor, scale: float, out: Tensor, first: int, last: int
    ) -> None:
        work = values.numel() * x.shape[1]
        threads = self._threads(work)
        self._run(self.loops.gather, work, *_sorted(entries), values, x, scale, first, last, threads, out)

    def sums(self, entries: ByFeature, values: Tensor) -> Tensor:
        out, by_feature = self.torch.empty(entries.features), _sorted(entries)
        self._run(self.loops.sums_by_feature, 0, by_feature.starts, by_feature.places, values, out)
        return out

    def tangent(self, gradient: Tensor, W: Tensor) -> float:
        squares = self.torch.empty(len(W), dtype=self.torch.float64)
        self._run(self.loops.make_tangent, gradient.numel(), gradient, W, squares)
        return float(squares.sum())

    def kth_largest(self, values: Tensor, k: int) -> float:
        return float(self.loops.kth_largest(values.numpy().copy(), len(values), k))


def _sorted(entries: ByFeature) -> Transposed:
    assert entries.transposed is not None, "made by CpuKernels.by_feature"
    return entries.transposed
