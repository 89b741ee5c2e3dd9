"""Checks before training begins, and the figures that each step reports."""

from __future__ import annotations

from typing import NamedTuple

from ...errors import InputError
from ...extras import require


def check_device(device: str) -> None:
    """Refuse a device that PyTorch cannot reach here, before any work.

    Raises:
        InputError: it is unavailable. MissingExtra: torch is not installed.
    """
    if device == "cpu":
        return
    torch = require("torch", "train")
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"device {device!r} cannot be used here ({reason}); train on cpu") from error


class SaeStep(NamedTuple):
    """The figures of one training step."""

    step: int
    steps: int
    loss: float  # mean squared error of a row, in the space of training
    fvu: float  # squared error of this batch divided by its variance
    l0: float  # active features per row
    dead: int  # features inactive for `dead_after` of training
    penalty: float  # the coefficient lambda; 0 if there is none

    @property
    def note(self) -> str:
        """The figures that a progress bar shows."""
        return f"loss {self.loss:.4f}  FVU {self.fvu:.3f}  L0 {self.l0:.1f}  dead {self.dead}"
