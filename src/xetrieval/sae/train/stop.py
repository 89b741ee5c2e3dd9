"""Early stopping, when held-out rows are no longer reconstructed better."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32
from .trainer import Trainer

LEAST_GAIN = 1e-3  # of the best FVU so far
NEAR_TARGET = 1.1  # a penalised code is judged once its L0 is at most this times the target


class EarlyStop:
    """Watches the FVU of held-out rows. `patience` looks without gain end the training; the best weights are kept."""

    def __init__(self, patience: int | None) -> None:
        self.patience = patience
        self.best: dict[str, Float32] | None = None
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
            self.best_fvu, self.waited, self.best = self.last, 0, trainer.weights()
        else:
            self.waited += 1

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Its state, for a checkpoint."""
        last = np.nan if self.last is None else self.last
        kept = {} if self.best is None else {f"best.{name}": array for name, array in self.best.items()}
        return {"figures": np.array([self.best_fvu, last, self.waited]), **kept}

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """From a checkpoint."""
        self.best_fvu, last, waited = map(float, arrays["figures"])
        self.last, self.waited = None if np.isnan(last) else last, int(waited)
        best = {name.removeprefix("best."): array for name, array in arrays.items() if name.startswith("best.")}
        self.best = best or None
