"""Turns trained weights into an autoencoder for inference, in one of two forms, in the original space."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32
from ...configs import SaeConfig
from ..model import SparseAutoencoder, gated_as_jumprelu
from ..select import top_k
from .scaling import Scaling

TILE = 2048


class Inference(NamedTuple):
    """z = W_e (x' - b') + b_e; active where z > theta. A shift d of the common level moves theta_j by d * step_j."""

    We: Float32
    be: Float32
    theta: Float32
    step: Float32


def finish(config: SaeConfig, w: dict[str, Float32], scaling: Scaling, sample: Float32) -> SparseAutoencoder:
    """The autoencoder in the original space.

    Thresholds for a target L0 are exact on `sample`, rows of the training space: batchtopk and matryoshka take the
    level that leaves L0 scores per row; if a penalty was adjusted to reach L0, one common shift corrects the last few
    per cent, in theta (jumprelu), the gate's bias (gated) or the encoder's bias (relu).
    """
    name = config.kind.architecture
    if name == "topk":
        return _fold(w["We"], w["be"], None, w, scaling, config.used_k)
    form = _inference(name, w)
    if config.penalty is None or name == "batchtopk":
        shift = _level(form, sample - w["bd"], config.l0)
        if name == "relu":
            form = form._replace(be=form.be - np.float32(shift))
        else:
            form = form._replace(theta=np.maximum(form.theta + np.float32(shift) * form.step, 0.0))
    return _fold(form.We, form.be, form.theta, w, scaling, None)


def _inference(name: str, w: dict[str, Float32]) -> Inference:
    ones, zeros = np.ones_like(w["be"]), np.zeros_like(w["be"])
    if name == "gated":
        return Inference(*gated_as_jumprelu(w["We"], w["r"], w["be"], w["bm"]), np.exp(w["r"]))
    return Inference(w["We"], w["be"], w["theta"] if name == "jumprelu" else zeros, ones)


def _level(form: Inference, centred: Float32, l0: float) -> float:
    """The common shift at which `l0` features per row are above their thresholds.

    It is midway between the last score above and the first below, because whether a score equal to the threshold is
    active would depend on the last bit of a product, and so on the order of additions.
    """
    per_row = min(len(form.be), max(8, round(4 * l0)))
    margins = []
    for start in range(0, len(centred), TILE):
        scores = (centred[start : start + TILE] @ form.We.T + form.be - form.theta) / form.step
        margins.append(top_k(np.ascontiguousarray(scores), per_row)[1].reshape(-1))
    flat = np.concatenate(margins)
    wanted = min(len(flat) - 1, round(l0 * len(centred)))
    below = len(flat) - 1 - wanted
    edges = np.partition(flat, [below, min(below + 1, len(flat) - 1)])[below : below + 2]
    return float(edges.astype(np.float64).mean())


def _fold(
    We: Float32, be: Float32, theta: Float32 | None, w: dict[str, Float32], scaling: Scaling, k: int | None
) -> SparseAutoencoder:
    """Fold x' = T (x - mu) into the weights. If T is a number, it moves into f, so that directions stay unit."""
    forth, back = scaling.forth, scaling.back
    encoder: NDArray[Any]
    bias: NDArray[Any]
    decoder: NDArray[Any]
    if forth.ndim == 0:
        encoder, bias, decoder = We, be / forth, w["Wd"].T
        theta = None if theta is None else np.asarray(theta / forth, np.float32)
        shifted = w["bd"] / forth
    else:
        encoder, bias, decoder = We @ forth, be, back @ w["Wd"].T
        shifted = back @ w["bd"]
    return SparseAutoencoder(
        encoder_weight=np.ascontiguousarray(encoder, np.float32),
        encoder_bias=np.ascontiguousarray(bias, np.float32),
        decoder_weight=np.ascontiguousarray(decoder, np.float32),
        decoder_bias=np.asarray(scaling.mean + shifted, np.float32),
        k=k,
        thresholds=theta,
    )
