"""The layout of the paper's released checkpoint, sae_model.pt (method: arXiv 2605.29507, release code)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DamagedError
from ..store.foreign import read_torch_state
from .model import SparseAutoencoder

KEYS = ("encoder.weight", "encoder.bias", "decoder.weight", "b_dec")
DEFAULT_K = 64  # what the release assumes when the file has no k


def read_release_sae(path: Path) -> SparseAutoencoder:
    """Read `sae_model.pt`, loaded with weights_only so that no code in it can run.

    Raises:
        InputError: no such file. DamagedError: not a checkpoint of this layout.
    """
    state = read_torch_state(path)
    missing = [key for key in KEYS if key not in state]
    if missing:
        raise DamagedError(f"{path}: not an SAE of the release, it lacks {', '.join(missing)}")
    return SparseAutoencoder(
        encoder_weight=state["encoder.weight"],
        encoder_bias=state["encoder.bias"],
        decoder_weight=state["decoder.weight"],
        decoder_bias=state["b_dec"],
        k=_k_of(state),
    )


def _k_of(state: Mapping[str, np.ndarray[Any, Any]]) -> int:
    return int(state["k"].reshape(-1)[0]) if "k" in state else DEFAULT_K
