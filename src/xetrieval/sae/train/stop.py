"""Early stopping, once the reconstruction of held-out rows no longer improves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...arrays import Float32
from .trainer import Trainer

if TYPE_CHECKING:
    from torch import Tensor

LEAST_GAIN = 1e-3  # the smallest improvement that counts, as a fraction of the best FVU so far
NEAR_TARGET = 1.1  # with a penalty, stopping is considered only once L0 is at most this multiple of the target


class EarlyStop:
    """Watches the FVU of held-out rows: training ends after `patience` checks without gain, with the best weights."""

    def __init__(self, patience: int | None) -> None:
        self.patience = patience
        self.best: dict[str, Tensor] | None = None
        self.best_fvu, self.waited = float("inf"), 0
        self.last: float | None = None

    @property
    def reached(self) -> bool:
        """Whether to stop."""
        return self.patience is not None and self.waited >= self.patience

    def look(self, trainer: Trainer, rows: Float32) -> None:
        """Measure, after a step, how well rows [n, m] of the training space are reconstructed."""
        self.last, l0 = trainer.held_out(rows)
        if self.patience is None or l0 > NEAR_TARGET * trainer.config.l0:
            return
        if self.last < self.best_fvu * (1 - LEAST_GAIN):
            self.best_fvu, self.waited = self.last, 0
            self.best = {name: tensor.clone() for name, tensor in trainer.w.items()}
        else:
            self.waited += 1

    def state(self) -> dict[str, Any]:
        """Its state, for a checkpoint."""
        return {"best": self.best, "figures": (self.best_fvu, self.waited, self.last)}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Continue from a saved state."""
        self.best, (self.best_fvu, self.waited, self.last) = state["best"], state["figures"]
