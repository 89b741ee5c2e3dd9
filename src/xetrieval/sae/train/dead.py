"""Features that no longer fire: counted in steps, taught by the auxiliary loss, or reinitialised."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from ...extras import require

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor
    from torch.optim import Optimizer

WEAK, STRONG = 0.2, 1.0  # norm of a new encoder row / mean norm; STRONG if only the k largest are kept


class Silence:
    """How many steps ago each feature last fired."""

    def __init__(self, torch: ModuleType, features: int, dead_after: int, device: str) -> None:
        self.torch, self.dead_after = torch, dead_after
        self.steps = torch.zeros(features, dtype=torch.int64, device=device)
        self.dead = torch.empty(0, dtype=torch.int64, device=device)  # ids of dead features, as of the last step

    def update(self, fired: Tensor) -> None:
        """Update after a batch in which the features with `fired` [F] true were active."""
        self.steps += 1
        self.steps[fired] = 0
        self.dead = self.torch.nonzero(self.steps > self.dead_after).flatten()


def teach_dead(
    w: dict[str, Tensor],
    grads: dict[str, Tensor],
    dead: Tensor,
    centred: Tensor,
    error: Tensor,
    alpha: float,
    tile: int,
) -> None:
    """Add the gradient of the auxiliary loss (Gao et al. 2024, appendix A.2) to the rows of dead features.

        alpha * (||X - mean||^2 / ||E - mean||^2) * mean || e - e^ ||^2,   e = x - x^ held fixed

    e^ is the reconstruction by the m / 2 most active dead features. Gao et al. divide the main loss by the variance of
    x and this one by that of e; as the main loss is not divided here, the ratio of the two remains. Only one tile of
    scores [tile, dead] exists at a time.
    """
    torch = require("torch", "train")
    n, m = centred.shape
    width = min(len(dead), max(1, m // 2))
    variance = ((centred - centred.mean(0)) ** 2).sum()
    weight = alpha * float(variance / ((error - error.mean(0)) ** 2).sum().clamp_min(1e-12))
    We, be, Wd = w["We"][dead], w["be"][dead], w["Wd"][dead]
    for first in range(0, n, tile):
        x, e = centred[first : first + tile], error[first : first + tile]
        kept, place = torch.topk(torch.addmm(be, x, We.T), width, dim=1, sorted=False)
        f = torch.zeros(len(x), len(dead), device=x.device).scatter_(1, place, kept.clamp_min_(0.0))
        g = (f @ Wd - e) * (2.0 * weight / n)
        dz = (g @ Wd.T) * (f > 0)
        grads["We"].index_add_(0, dead, dz.T @ x)
        grads["be"].index_add_(0, dead, dz.sum(0))
        grads["Wd"].index_add_(0, dead, f.T @ g)


def resample(
    w: dict[str, Tensor],
    optimiser: Optimizer,
    silence: Silence,
    centred: Tensor,
    error: Tensor,
    rng: np.random.Generator,
    *,
    counted: bool,
) -> int:
    """Reinitialise dead features from badly reconstructed rows (Bricken et al. 2023). Returns how many.

    Rows are drawn in proportion to their squared error. The direction of a row becomes the decoder row and, times a
    multiple of the mean norm of live encoder rows, the encoder row; biases and thresholds become the median of the live
    features, times the same multiple. Adam's moments are reset for them.

    Args:
        counted: the architecture keeps a fixed number of features (topk, batchtopk), so a weak new one would never be
        kept.
    """
    dead = silence.dead[: len(centred)]
    if not len(dead):
        return 0
    torch = silence.torch
    alive = torch.ones(len(silence.steps), dtype=torch.bool, device=dead.device)
    alive[silence.dead] = False
    if not alive.any():
        alive[:] = True
    weight = (error**2).sum(1).double()
    chance = (weight / weight.sum()).cpu().numpy()
    rows = torch.from_numpy(rng.choice(len(centred), size=len(dead), p=chance)).to(dead.device)
    directions = centred[rows] / centred[rows].norm(dim=1, keepdim=True).clamp_min(1e-12)
    strength = STRONG if counted else WEAK
    w["Wd"][dead] = directions
    w["We"][dead] = directions * (strength * w["We"][alive].norm(dim=1).mean())
    for name in ("be", "theta", "bm"):
        if name in w:
            w[name][dead] = strength * w[name][alive].median()
    if "r" in w:
        w["r"][dead] = 0.0
    for name, parameter in w.items():
        if name != "bd" and parameter in optimiser.state:
            for moment in ("exp_avg", "exp_avg_sq"):
                optimiser.state[parameter][moment][dead] = 0.0
    silence.steps[dead] = 0
    return len(dead)
