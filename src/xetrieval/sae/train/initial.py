"""Initial weights: directions on data points, and an encoder that already reconstructs the data as well as it can."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...arrays import Float32
from ...configs import SaeConfig
from ...errors import InputError
from ..kernels import Kernels, Pattern
from .scaling import geometric_median

if TYPE_CHECKING:
    from torch import Tensor

SAMPLE = 4096  # rows used to set thresholds and sizes
NOISE = 0.02  # standard deviation per dimension, added to a direction of norm 1


def initial_weights(kernels: Kernels, config: SaeConfig, sample: Float32) -> dict[str, Tensor]:
    """Parameters by name, on the device: We [F, m], be [F], Wd [F, m] (unit rows), bd [m], and the architecture's own.

    bd is the geometric median. Directions start on data points, so that few features start where there is no data. The
    encoder is a multiple of them: first thresholds are set for the target L0, then the factor that gives the best
    initial reconstruction (a common factor does not change which features are active).

    Args:
        sample: rows of the training space [n, m].
    """
    torch, rng = kernels.torch, np.random.default_rng(config.seed)
    median = geometric_median(sample[:20_000]).astype(np.float32)
    centred = sample - median
    norms = np.linalg.norm(centred, axis=1)
    usable = np.flatnonzero(norms > 1e-6 * max(1.0, float(norms.max())))
    if len(usable) < 2:
        raise InputError("autoencoder: all rows are equal, or nearly so; there is nothing to decompose")
    pick = rng.choice(usable, size=config.features, replace=config.features > len(usable))
    directions = centred[pick] / norms[pick, None] + rng.normal(0, NOISE, (config.features, sample.shape[1]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    Wd = torch.tensor(directions, dtype=torch.float32, device=config.device)
    some = centred[rng.permutation(len(centred))[:SAMPLE]]
    x = torch.tensor(some, dtype=torch.float32, device=config.device)
    threshold, size = _threshold_and_size(kernels, config, x, Wd)
    weights = {
        "We": Wd * size,
        "be": torch.zeros(config.features, device=config.device),
        "Wd": Wd,
        "bd": torch.tensor(median, device=config.device),
    }
    name = config.kind.architecture
    if name == "relu":
        weights["be"] -= threshold * size
    elif name == "jumprelu":
        weights["theta"] = torch.full_like(weights["be"], threshold * size)
    elif name == "gated":  # the gate opens where z - b_e exceeds the threshold; initially the size is the score itself
        weights["be"] -= threshold * size
        weights |= {"r": torch.zeros_like(weights["be"]), "bm": torch.zeros_like(weights["be"])}
    return weights


def _threshold_and_size(kernels: Kernels, config: SaeConfig, x: Tensor, Wd: Tensor) -> tuple[float, float]:
    """The threshold that leaves `l0` scores per row, and the factor that reconstructs best with those."""
    torch, per_row = kernels.torch, min(config.features, max(1, round(4 * config.l0)))
    parts = (kernels.top_k(some @ Wd.T, per_row) for some in x.split(512))
    columns, z = map(torch.cat, zip(*parts, strict=True))
    kept = min(z.numel() - 1, round(config.l0 * len(x)))
    threshold = max(0.0, kernels.kth_largest(z.flatten().contiguous(), kept + 1))
    f = torch.where(z > threshold, z - (threshold if config.kind.architecture == "relu" else 0.0), 0.0)
    starts = torch.arange(0, z.numel() + 1, per_row, device=z.device)
    rest = kernels.decode(Pattern(starts, columns.flatten()), f.flatten(), Wd, x)
    made = x - rest
    size = float((x * made).sum() / (made**2).sum().clamp_min(1e-12))
    return threshold, max(size, 1e-3)
