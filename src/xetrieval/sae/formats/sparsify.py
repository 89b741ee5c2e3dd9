"""EleutherAI's sparsify 1.3: cfg.json and sae.safetensors; W_dec is [F, m], the encoder's weight [F, m]."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ...errors import DamagedError
from ...files import read_object
from ..model import SparseAutoencoder
from .keys import check_keys, check_top_k, read_float32, whole_k, write_checkpoint

WEIGHTS: Final = "sae.safetensors"
KEYS: Final = ("encoder.weight", "encoder.bias", "W_dec", "b_dec")


def read(path: Path) -> SparseAutoencoder:
    """Read the folder of one sparse coder.

    Raises:
        InputError: a file is absent. DamagedError: missing or extra arrays, a transcoder, an activation other than
            topk.
    """
    config = read_object(path / "cfg.json")
    if config.get("activation", "topk") != "topk":
        raise DamagedError(f"{path}: activation {config['activation']!r} cannot be represented exactly; only topk can")
    for key in ("skip_connection", "transcode"):
        if config.get(key):
            raise DamagedError(f"{path}: {key} is set: a transcoder reads one space and writes another")
    k = whole_k(config, path / "cfg.json")
    state = read_float32(path / WEIGHTS)
    check_keys(path / WEIGHTS, state, KEYS)
    W = state["W_dec"].T.copy()
    return SparseAutoencoder(state["encoder.weight"], state["encoder.bias"], W, state["b_dec"], k)


def write(sae: SparseAutoencoder, path: Path) -> None:
    """Write the folder of one sparse coder.

    Raises:
        InputError: the autoencoder has thresholds, which sparsify lacks; or the folder exists already.
    """
    check_top_k(sae, "sparsify")
    config = {
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
    write_checkpoint(path, ("cfg.json", config), {WEIGHTS: arrays})
