"""sentence-transformers' SparseAutoEncoder: a module folder with config.json and model.safetensors.

Its decoder is tied to its encoder, and inference runs only the encoder. So the codes are exact, and our decoder is
stored separately in xetrieval_decoder.safetensors. Without that file, the tied decoder is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from ...errors import DamagedError
from ...files import read_object
from ..model import SparseAutoencoder
from .keys import check_keys, check_top_k, read_float32, whole_k, write_checkpoint

WEIGHTS: Final = "model.safetensors"
BESIDE: Final = "xetrieval_decoder.safetensors"
KEYS: Final = ("pre_bias", "latent_bias")
TIED: Final = ("decoder.linear.weight", "encoder.weight")  # one tensor; only the first name is in its files


def read(path: Path) -> SparseAutoencoder:
    """Read the module's folder.

    Raises:
        InputError: a file is absent. DamagedError: missing or extra arrays, layer normalisation of the input, or a
        separate decoder that belongs to a different encoder.
    """
    config = read_object(path / "config.json")
    if config.get("normalize"):
        raise DamagedError(
            f"{path}: normalize is set; a normalisation that depends on the input does not convert exactly"
        )
    k = whole_k(config, path / "config.json")
    state = read_float32(path / WEIGHTS)
    weight = next((name for name in TIED if name in state), TIED[0])
    check_keys(path / WEIGHTS, state, (*KEYS, weight), (*TIED, "stats_last_nonzero"))
    We, b = state[weight], state["pre_bias"]
    W = We.T.copy()
    if (path / BESIDE).is_file():
        beside = read_float32(path / BESIDE)
        check_keys(path / BESIDE, beside, ("decoder.weight", "b_dec"))
        W = beside["decoder.weight"]
        if W.shape != We.T.shape or not np.array_equal(beside["b_dec"], b):
            raise DamagedError(f"{path / BESIDE}: the decoder of a different autoencoder")
    return SparseAutoencoder(We, state["latent_bias"], W, b, k)


def write(sae: SparseAutoencoder, path: Path) -> None:
    """Write the module's folder. Point modules.json of a SparseEncoder at it, after pooling and normalisation.

    Raises:
        InputError: the autoencoder has thresholds, which the module lacks; or the folder exists already.
    """
    check_top_k(sae, "SparseAutoEncoder")
    config = {
        "input_dim": sae.dimension,
        "hidden_dim": sae.features,
        "k": sae.k,
        "k_aux": min(512, sae.features),
        "normalize": False,
        "dead_threshold": 30,
    }
    arrays: dict[str, Any] = {
        "pre_bias": sae.decoder_bias,
        "latent_bias": sae.encoder_bias,
        TIED[0]: sae.encoder_weight,
        "stats_last_nonzero": np.zeros(sae.features, np.int64),
    }
    beside = {"decoder.weight": sae.decoder_weight, "b_dec": sae.decoder_bias}
    write_checkpoint(path, ("config.json", config), {WEIGHTS: arrays, BESIDE: beside})
