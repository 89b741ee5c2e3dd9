"""SAELens 6: cfg.json and sae_weights.safetensors; W_enc [m, F] and W_dec [F, m] are transposed relative to ours.

The architectures standard, topk, jumprelu and gated can be read. Rescaling of activations by decoder norms is folded
into the weights (W_enc and b_enc times the norm, W_dec divided by it). A normalisation that depends on the input is
refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from ...errors import DamagedError
from ...files import read_object
from ..model import SparseAutoencoder, gated_as_jumprelu
from .keys import check_keys, read_float32, whole_k, with_decoder_bias, write_checkpoint

WEIGHTS: Final = "sae_weights.safetensors"
MATRICES: Final = ("W_enc", "W_dec", "b_dec")
ARCHITECTURES: Final = {
    "standard": (*MATRICES, "b_enc"),
    "topk": (*MATRICES, "b_enc"),
    "jumprelu": (*MATRICES, "b_enc", "threshold"),
    "gated": (*MATRICES, "b_gate", "b_mag", "r_mag"),
}
PLAIN: Final = {"normalize_activations": "none", "reshape_activations": "none", "finetuning_scaling_factor": False}


def read(path: Path) -> SparseAutoencoder:
    """Read a SAELens folder.

    Raises:
        InputError: a file is absent. DamagedError: missing or extra arrays, or a setting that cannot be folded.
    """
    config = read_object(path / "cfg.json")
    name = config.get("architecture", "standard")
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise DamagedError(
            f"{path}: architecture {name!r} cannot be represented exactly; supported: {', '.join(ARCHITECTURES)}"
        )
    for key, plain in PLAIN.items():
        if config.get(key, plain) not in (plain, None):
            raise DamagedError(f"{path}: {key} is {config[key]!r}; only {plain!r} converts exactly: fold it first")
    if config.get("activation_fn", "relu") not in ("relu", "topk", None):
        raise DamagedError(f"{path}: activation_fn {config['activation_fn']!r} is not relu")
    state = read_float32(path / WEIGHTS)
    check_keys(path / WEIGHTS, state, ARCHITECTURES[name])
    We, W, b = state["W_enc"].T.copy(), state["W_dec"].T.copy(), state["b_dec"]
    theta = None
    if name == "gated":
        We, bias, theta = gated_as_jumprelu(We, state["r_mag"], state["b_gate"], state["b_mag"])
    else:
        bias = state["b_enc"]
        if name != "topk":
            theta = state.get("threshold", np.zeros_like(bias))
    if config.get("rescale_acts_by_decoder_norm"):
        norm = np.linalg.norm(W, axis=0)
        We, bias, W = We * norm[:, None], bias * norm, W / norm
        theta = None if theta is None else theta * norm
    if not config.get("apply_b_dec_to_input", True):
        bias = with_decoder_bias(bias, We, b)
    if name == "topk":
        return SparseAutoencoder(We, bias, W, b, whole_k(config, path / "cfg.json"))
    return SparseAutoencoder(We, bias, W, b, None, None if theta is None else np.maximum(theta, 0.0))


def write(sae: SparseAutoencoder, path: Path) -> None:
    """Write a folder: as topk if k is set, as standard if the thresholds are 0, otherwise as jumprelu.

    Raises:
        InputError: the folder exists already.
    """
    config: dict[str, Any] = {
        "d_in": sae.dimension,
        "d_sae": sae.features,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {},
    }
    arrays: dict[str, Any] = {
        "W_enc": sae.encoder_weight.T,
        "W_dec": sae.decoder_weight.T,
        "b_enc": sae.encoder_bias,
        "b_dec": sae.decoder_bias,
    }
    if sae.thresholds is None:
        config |= {"architecture": "topk", "k": sae.k, "rescale_acts_by_decoder_norm": False}
    elif sae.thresholds.any():
        config["architecture"] = "jumprelu"
        arrays["threshold"] = sae.thresholds
    else:
        config["architecture"] = "standard"
    write_checkpoint(path, ("cfg.json", config), {WEIGHTS: arrays})
