"""The layout of the paper's released checkpoint, sae_model.pt (method: arXiv 2605.29507, release code)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...extras import require
from ...files import is_stream
from ...files.foreign import read_torch_state, save_torch
from ..model import SparseAutoencoder
from .keys import check_keys, check_top_k

KEYS = ("encoder.weight", "encoder.bias", "decoder.weight", "b_dec")
DEFAULT_K = 64  # the release's default if the file has no k


def read(path: Path) -> SparseAutoencoder:
    """Read `sae_model.pt`, loaded with weights_only so that no code in it can run.

    Raises:
        InputError: no such file. DamagedError: not a checkpoint of this layout.
    """
    state = read_torch_state(path)
    check_keys(path, state, KEYS, ("k", "threshold"))
    return SparseAutoencoder(
        encoder_weight=state["encoder.weight"],
        encoder_bias=state["encoder.bias"],
        decoder_weight=state["decoder.weight"],
        decoder_bias=state["b_dec"],
        k=int(state["k"].reshape(-1)[0]) if "k" in state else DEFAULT_K,
    )


def write(sae: SparseAutoencoder, path: Path) -> None:
    """Write `sae_model.pt`, completely or not at all.

    Raises:
        InputError: the autoencoder has thresholds, which this format lacks; or the file exists already.
    """
    check_top_k(sae, "the release")
    if path.exists() and not is_stream(path):
        raise InputError(f"{path} exists already; choose another output or remove it first")
    save_torch(path, tensors(release_state(sae)))


def release_state(sae: SparseAutoencoder) -> dict[str, Any]:
    """Arrays and numbers of the checkpoint, which is an AutoEncoderTopK of dictionary_learning."""
    weights = (sae.encoder_weight, sae.encoder_bias, sae.decoder_weight, sae.decoder_bias)
    return {**dict(zip(KEYS, weights, strict=True)), "k": sae.k, "threshold": -1.0}


def tensors(state: Mapping[str, Any]) -> dict[str, Any]:
    """The same as PyTorch tensors: k as an integer, everything else as float32."""
    torch = require("torch", "train")
    return {
        name: torch.tensor(value, dtype=torch.int)
        if name == "k"
        else torch.tensor(np.ascontiguousarray(value, np.float32)).reshape(np.shape(value))
        for name, value in state.items()
    }
