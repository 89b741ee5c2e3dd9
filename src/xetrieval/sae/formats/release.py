"""The layout of the paper's released checkpoint, sae_model.pt (method: arXiv 2605.29507, release code)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...extras import require
from ...files import is_stream, replacing
from ...files.foreign import read_torch_state
from ..model import SparseAutoencoder
from .keys import check_keys

KEYS = ("encoder.weight", "encoder.bias", "decoder.weight", "b_dec")
DEFAULT_K = 64  # what the release assumes when the file has no k


def read_release_sae(path: Path) -> SparseAutoencoder:
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
        k=_k_of(state),
    )


def _k_of(state: Mapping[str, np.ndarray[Any, Any]]) -> int:
    return int(state["k"].reshape(-1)[0]) if "k" in state else DEFAULT_K


def write_release_sae(sae: SparseAutoencoder, path: Path) -> None:
    """Write `sae_model.pt`, whole or not at all.

    Raises:
        InputError: the autoencoder has thresholds, which the release has not; or the file exists already.
    """
    if sae.k is None:
        raise InputError(
            "the release keeps the k largest of a row; this autoencoder keeps what is above fixed thresholds"
        )
    if path.exists() and not is_stream(path):
        raise InputError(f"{path} exists already; choose another output or remove it first")
    torch = require("torch", "train")
    state = {
        "encoder.weight": torch.tensor(sae.encoder_weight),
        "encoder.bias": torch.tensor(sae.encoder_bias),
        "decoder.weight": torch.tensor(sae.decoder_weight),
        "b_dec": torch.tensor(sae.decoder_bias),
        "k": torch.tensor(sae.k, dtype=torch.int),
        "threshold": torch.tensor(-1.0),
    }
    with replacing(path) as file:
        torch.save(state, file)
