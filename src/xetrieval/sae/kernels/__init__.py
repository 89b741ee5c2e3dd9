"""Sparse products of a training step, on the processor (compiled loops) or on any device (PyTorch)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .pattern import Pattern, Transposed

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Kernels", "Pattern", "Transposed", "kernels_for"]


class Kernels(Protocol):
    """C is the sparse code [n, F] of a batch; x, e are [n, m]; W [F, m] holds one direction a row. All tensors."""

    def top_k(self, scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Ids (int32) and values of the k largest scores of each row, [n, k], unordered."""

    def above(self, scores: Tensor, bounds: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Counts [n] (int64) of scores over the bound of their feature, and those ids and scores row by row."""

    def starts(self, counts: Tensor) -> Tensor:
        """Where each row of `counts` entries begins, [n + 1]."""

    def decode(self, pattern: Pattern, values: Tensor, W: Tensor, x: Tensor) -> Tensor:
        """x - C W, [n, m]."""

    def pull(self, pattern: Pattern, W: Tensor, x: Tensor, scale: float) -> Tensor:
        """scale * <x_i, W_j> at the pattern's entries, [entries]."""

    def decode_and_pull(
        self, pattern: Pattern, values: Tensor, W: Tensor, x: Tensor, scale: float
    ) -> tuple[Tensor, Tensor]:
        """e = x - C W, and scale * <e_i, W_j> at the pattern's entries."""

    def transpose(self, pattern: Pattern, features: int) -> Transposed:
        """The pattern by feature."""

    def gather(
        self, by_feature: Transposed, values: Tensor, x: Tensor, scale: float, out: Tensor, first: int, last: int
    ) -> None:
        """out[first:last] = scale * C^T x for those features."""

    def sums(self, by_feature: Transposed, values: Tensor) -> Tensor:
        """Sum of each feature's values, [F]."""

    def tangent(self, gradient: Tensor, W: Tensor) -> float:
        """Take the part along the unit rows of W off `gradient`, in place; the squared norm of the rest."""

    def kth_largest(self, values: Tensor, k: int) -> float:
        """The k-th largest of `values` [entries]."""


def kernels_for(device: str) -> Kernels:
    """Compiled loops for "cpu", PyTorch for anything else.

    Raises:
        MissingExtra: torch or numba is not installed.
    """
    if device == "cpu":
        from .on_cpu import CpuKernels

        return CpuKernels()
    from .on_device import DeviceKernels

    return DeviceKernels()
