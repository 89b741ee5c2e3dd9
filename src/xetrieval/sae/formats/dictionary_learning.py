"""dictionary_learning 0.1.0: ae.pt next to a config.json whose trainer.dict_class gives the class.

Its JumpReluAutoEncoder and AutoEncoderNew do not subtract the decoder bias from the input; ours does, so the encoder
bias includes it: b_e = b_enc + W_e b, exactly. Its GatedAutoEncoder is equivalent to a JumpReLU. The scalar threshold
of an AutoEncoderTopK is a training statistic that its encode does not use, so it is read as a TopK.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from ...arrays import Float32
from ...errors import DamagedError, InputError
from ...files import new_folder, read_object, write_text
from ...files.foreign import read_torch_state, save_torch
from ..model import SparseAutoencoder, gated_as_jumprelu
from .keys import check_keys, with_decoder_bias
from .release import release_state, tensors

FILE: Final = "ae.pt"
LINEAR: Final = ("encoder.weight", "encoder.bias", "decoder.weight")
MATRICES: Final = ("W_enc", "b_enc", "W_dec", "b_dec")
CLASSES: Final = {
    "AutoEncoder": (*LINEAR, "bias"),
    "AutoEncoderNew": (*LINEAR, "decoder.bias"),
    "AutoEncoderTopK": (*LINEAR, "b_dec", "k", "threshold"),
    "BatchTopKSAE": (*LINEAR, "b_dec", "k", "threshold"),
    "GatedAutoEncoder": ("encoder.weight", "decoder.weight", "decoder_bias", "r_mag", "gate_bias", "mag_bias"),
    "JumpReluAutoEncoder": (*MATRICES, "threshold"),
    "MatryoshkaBatchTopKSAE": (*MATRICES, "k", "threshold", "group_sizes"),
}


def read(path: Path) -> SparseAutoencoder:
    """Read a folder with ae.pt and config.json, or an ae.pt alone if its arrays determine its class.

    Raises:
        InputError: no such file. DamagedError: missing or extra arrays, code in the file, an unknown class.
    """
    file = path / FILE if path.is_dir() else path
    state = read_torch_state(file)
    config = read_object(file.parent / "config.json") if (file.parent / "config.json").is_file() else {}
    trainer = config.get("trainer", {})
    if not isinstance(trainer, dict):
        raise DamagedError(f"{file.parent}/config.json: field trainer is not an object")
    name = trainer.get("dict_class") or _class_of(file, state)
    if not isinstance(name, str) or name not in CLASSES:
        raise DamagedError(f"{file}: dict_class {name!r} is unknown; supported: {', '.join(CLASSES)}")
    check_keys(file, state, CLASSES[name])
    return _assemble(file, name, state)


def _class_of(file: Path, state: dict[str, Float32]) -> str:
    if {"k", "threshold", "b_dec", "encoder.weight"} <= set(state):
        return "AutoEncoderTopK"  # BatchTopKSAE has the same arrays; only config.json distinguishes them
    for name, keys in CLASSES.items():
        if set(keys) == set(state):
            return name
    raise DamagedError(f"{file}: no class of dictionary_learning has these arrays: {', '.join(sorted(state))}")


def _assemble(file: Path, name: str, state: dict[str, Float32]) -> SparseAutoencoder:
    if name == "GatedAutoEncoder":
        gate = (state["encoder.weight"], state["r_mag"], state["gate_bias"], state["mag_bias"])
        We, be, theta = gated_as_jumprelu(*gate)
        return SparseAutoencoder(We, be, state["decoder.weight"], state["decoder_bias"], None, theta)
    if "W_enc" in state:
        We, W, be, b = state["W_enc"].T.copy(), state["W_dec"].T.copy(), state["b_enc"], state["b_dec"]
    else:
        bias = {"AutoEncoder": "bias", "AutoEncoderNew": "decoder.bias"}.get(name, "b_dec")
        We, W, be, b = state["encoder.weight"], state["decoder.weight"], state["encoder.bias"], state[bias]
    if name in ("JumpReluAutoEncoder", "AutoEncoderNew"):
        be = with_decoder_bias(be, We, b)
    if name == "AutoEncoderTopK":
        return SparseAutoencoder(We, be, W, b, int(state["k"].reshape(-1)[0]))
    theta = np.zeros_like(be)
    if "threshold" in state:
        theta = np.broadcast_to(state["threshold"].reshape(-1), be.shape).copy()
    if (theta < 0).any():
        raise DamagedError(f"{file}: its threshold is negative: it was not trained long enough to have one")
    return SparseAutoencoder(We, be, W, b, None, theta)


def write(sae: SparseAutoencoder, path: Path) -> None:
    """Write a folder: AutoEncoderTopK with k, AutoEncoder if thresholds are 0, BatchTopKSAE with one common threshold,
    otherwise JumpReluAutoEncoder.

    Raises:
        InputError: the folder exists already.
    """
    trainer: dict[str, Any] = {"activation_dim": sae.dimension, "dict_size": sae.features}
    state, theta = release_state(sae), sae.thresholds
    if theta is None:
        trainer |= {"dict_class": "AutoEncoderTopK", "k": sae.k}
    elif not theta.any():
        trainer |= {"dict_class": "AutoEncoder"}
        state = {**{name: state[name] for name in LINEAR}, "bias": sae.decoder_bias}
    elif (theta == theta[0]).all():
        trainer |= {"dict_class": "BatchTopKSAE", "k": 1}  # its k is only for training; the threshold is used
        state |= {"k": 1, "threshold": float(theta[0])}
    else:
        trainer |= {"dict_class": "JumpReluAutoEncoder"}
        shifted = sae.encoder_bias - sae.encoder_weight.astype(np.float64) @ sae.decoder_bias
        state = {
            "W_enc": sae.encoder_weight.T,
            "b_enc": shifted.astype(np.float32),
            "W_dec": sae.decoder_weight.T,
            "b_dec": sae.decoder_bias,
            "threshold": theta,
        }
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} exists already and is not a folder; choose another output")
    with new_folder(path) as scratch:
        save_torch(scratch / FILE, tensors(state))
        write_text(scratch / "config.json", json.dumps({"trainer": trainer, "buffer": {}}, indent=2) + "\n")
