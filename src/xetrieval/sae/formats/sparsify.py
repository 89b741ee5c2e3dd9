"""EleutherAI's sparsify 1.3: cfg.json and sae.safetensors; W_dec is [F, m], the encoder's weight [F, m]."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from ...errors import DamagedError, InputError
from ...files import new_folder, write_arrays, write_text
from ..model import SparseAutoencoder
from .keys import check_keys, read_config, read_float32

WEIGHTS: Final = "sae.safetensors"
KEYS: Final = ("encoder.weight", "encoder.bias", "W_dec", "b_dec")


def read(path: Path) -> SparseAutoencoder:
    """Read the folder of one sparse coder.

    Raises:
        InputError: a file is absent. DamagedError: missing or extra arrays, a transcoder, another activation than topk.
    """
    config = read_config(path / "cfg.json")
    if config.get("activation", "topk") != "topk":
        raise DamagedError(f"{path}: activation {config['activation']!r} has no exact form here; only topk has")
    for key in ("skip_connection", "transcode"):
        if config.get(key):
            raise DamagedError(f"{path}: {key} is set; a transcoder is not an autoencoder of one space")
    if not isinstance(config.get("k"), int):
        raise DamagedError(f"{path}/cfg.json: field k is missing or not a whole number")
    state = read_float32(path / WEIGHTS)
    check_keys(path / WEIGHTS, state, KEYS)
    W = state["W_dec"].T.copy()
    return SparseAutoencoder(state["encoder.weight"], state["encoder.bias"], W, state["b_dec"], config["k"])


def write(sae: SparseAutoencoder, path: Path) -> None:
    """Write the folder of one sparse coder.

    Raises:
        InputError: the autoencoder has thresholds, which sparsify has not; or the folder exists already.
    """
    if sae.k is None:
        raise InputError("sparsify keeps the k largest of a row; this autoencoder keeps what is above fixed thresholds")
    config: dict[str, Any] = {
        "activation": "topk",
        "expansion_factor": max(1, sae.features // sae.dimension),
        "normalize_decoder": False,
        "num_latents": sae.features,
        "k": sae.k,
        "multi_topk": False,
        "skip_connection": False,
        "transcode": False,
        "d_in": sae.dimension,
    }
    arrays = {
        "encoder.weight": sae.encoder_weight,
        "encoder.bias": sae.encoder_bias,
        "W_dec": sae.decoder_weight.T,
        "b_dec": sae.decoder_bias,
    }
    with new_folder(path) as scratch:
        write_arrays(scratch / WEIGHTS, arrays)
        write_text(scratch / "cfg.json", json.dumps(config, indent=2) + "\n")
