"""Sparse products of a training step, on the processor (compiled loops) or on any device (PyTorch)."""

from __future__ import annotations

from .on_device import Kernels
from .pattern import ByFeature, Pattern

__all__ = ["ByFeature", "Kernels", "Pattern", "kernels_for"]


def kernels_for(device: str) -> Kernels:
    """Compiled loops for "cpu", PyTorch for anything else.

    Raises:
        MissingExtra: torch or numba is not installed.
    """
    if device == "cpu":
        from .on_cpu import CpuKernels

        return CpuKernels()
    return Kernels()
