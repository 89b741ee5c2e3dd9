"""The products of a training step on the processor: torch tensors in and out, compiled loops between."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from ...extras import require
from .pattern import Pattern, Transposed

if TYPE_CHECKING:
    from torch import Tensor

WORTH_SHARING = 1 << 17  # products; below, one thread is done before others have started


class CpuKernels:
    """See `Kernels`. Results are the same whatever the number of threads."""

    def __init__(self) -> None:
        self.numba: Tensor = require("numba", "train")
        from . import compiled

        self.torch: ModuleType = require("torch", "train")
        self.loops: Tensor = compiled
        self.threads = min(int(self.torch.get_num_threads()), int(self.numba.config.NUMBA_NUM_THREADS))

    def _deal(self, work: int) -> int:
        """How many threads share so much work."""
        threads = self.threads if work >= WORTH_SHARING else 1
        self.numba.set_num_threads(threads)
        return threads

    def top_k(self, scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Ids (int32) and values of the k largest scores of each row, [n, k], unordered."""
        n = len(scores)
        ids, values = self.torch.empty((n, k), dtype=self.torch.int32), self.torch.empty((n, k))
        self.loops.top_k(scores.numpy(), k, self._deal(scores.numel()), ids.numpy(), values.numpy())
        return ids, values

    def above(self, scores: Tensor, bounds: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Counts [n] (int64) of scores over the bound of their feature, and those ids and scores row by row."""
        counts = self.torch.empty(len(scores), dtype=self.torch.int64)
        self.loops.count_above(scores.numpy(), bounds.numpy(), self._deal(scores.numel()), counts.numpy())
        starts = self.starts(counts)
        entries = int(starts[-1])
        ids, values = self.torch.empty(entries, dtype=self.torch.int32), self.torch.empty(entries)
        self.loops.fill_above(
            scores.numpy(), bounds.numpy(), starts.numpy(), self._deal(scores.numel()), ids.numpy(), values.numpy()
        )
        return counts, ids, values

    def starts(self, counts: Tensor) -> Tensor:
        """Where each row of `counts` entries begins, [n + 1]."""
        out = self.torch.zeros(len(counts) + 1, dtype=self.torch.int64)
        self.torch.cumsum(counts, 0, out=out[1:])
        return out

    def decode(self, pattern: Pattern, values: Tensor, W: Tensor, x: Tensor) -> Tensor:
        """x - C W, [n, m]."""
        error = self.torch.empty_like(x)
        arrays = [tensor.numpy() for tensor in (*pattern, values, W, x)]
        self.loops.decode(*arrays, self._deal(values.numel() * x.shape[1]), error.numpy())
        return error

    def pull(self, pattern: Pattern, W: Tensor, x: Tensor, scale: float) -> Tensor:
        """scale * <x_i, W_j> at the pattern's entries, [entries]."""
        out = self.torch.empty(len(pattern.columns))
        threads = self._deal(out.numel() * x.shape[1])
        self.loops.pull(*(tensor.numpy() for tensor in (*pattern, W, x)), scale, threads, out.numpy())
        return out

    def decode_and_pull(
        self, pattern: Pattern, values: Tensor, W: Tensor, x: Tensor, scale: float
    ) -> tuple[Tensor, Tensor]:
        """e = x - C W, and scale * <e_i, W_j> at the pattern's entries."""
        error, out = self.torch.empty_like(x), self.torch.empty(len(pattern.columns))
        arrays = [tensor.numpy() for tensor in (*pattern, values, W, x)]
        self.loops.decode_and_pull(
            *arrays, scale, self._deal(2 * values.numel() * x.shape[1]), error.numpy(), out.numpy()
        )
        return error, out

    def transpose(self, pattern: Pattern, features: int) -> Transposed:
        """The pattern by feature."""
        starts = self.torch.zeros(features + 1, dtype=self.torch.int64)
        rows, places = self.torch.empty_like(pattern.columns), self.torch.empty_like(pattern.columns)
        self.loops.transpose(*(tensor.numpy() for tensor in (*pattern, starts, rows, places)))
        return Transposed(starts, rows, places)

    def gather(
        self, by_feature: Transposed, values: Tensor, x: Tensor, scale: float, out: Tensor, first: int, last: int
    ) -> None:
        """out[first:last] = scale * C^T x for those features."""
        arrays = [tensor.numpy() for tensor in (*by_feature, values, x)]
        threads = self._deal(values.numel() * x.shape[1])
        self.loops.gather(*arrays, scale, first, last, threads, out.numpy())

    def sums(self, by_feature: Transposed, values: Tensor) -> Tensor:
        """Sum of each feature's values, [F]."""
        out = self.torch.empty(len(by_feature.starts) - 1)
        self.loops.sums_by_feature(by_feature.starts.numpy(), by_feature.places.numpy(), values.numpy(), out.numpy())
        return out

    def tangent(self, gradient: Tensor, W: Tensor) -> float:
        """Take the part along the unit rows of W off `gradient`, in place; the squared norm of the rest."""
        squares = self.torch.empty(len(W), dtype=self.torch.float64)
        self.loops.make_tangent(gradient.numpy(), W.numpy(), self._deal(gradient.numel()), squares.numpy())
        return float(squares.sum())

    def kth_largest(self, values: Tensor, k: int) -> float:
        """The k-th largest of `values` [entries]."""
        return float(self.loops.kth_largest(values.numpy().copy(), len(values), k))
