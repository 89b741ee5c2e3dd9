"""A penalty whose coefficient is adjusted until the code reaches the target sparsity."""

from __future__ import annotations

import math

SLOW, FAST = 0.06, 0.5  # gains of the integral and the proportional part, on log(L0 / target)
WIDEST = 1.0  # errors are clipped to this, so that an extreme first batch cannot move the coefficient far


class PenaltyControl:
    """lambda <- lambda * exp(SLOW e + FAST (e - e before)), e = log(L0 / target): a PI controller in log space.

    Users choose a sparsity rather than a coefficient, whose meaning changes with encoder, F, p and learning rate.
    """

    def __init__(self, coefficient: float, target: float | None) -> None:
        self.coefficient, self.target, self.error = coefficient, target, 0.0

    def update(self, l0: float) -> None:
        """Update after a batch with `l0` active features per row. Without a target, the coefficient does not change."""
        if self.target is None:
            return
        error = min(WIDEST, max(-WIDEST, math.log(max(l0, 1e-3) / self.target)))
        self.coefficient *= math.exp(SLOW * error + FAST * (error - self.error))
        self.error = error

    def rescale(self, before: float, after: float) -> None:
        """Keep the size of the penalty when p changes (Karvonen et al. 2024, adaptive coefficient)."""
        if before > 0 and after > 0:
            self.coefficient *= before / after
