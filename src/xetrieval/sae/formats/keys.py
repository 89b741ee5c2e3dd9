"""Functions shared by the readers and writers of foreign checkpoints."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32
from ...errors import DamagedError, InputError
from ...files import new_folder, read_arrays, write_arrays, write_text
from ..model import SparseAutoencoder

Arrays = Mapping[str, NDArray[Any]]


def check_keys(path: Path, arrays: Arrays, needed: Sequence[str], allowed: Sequence[str] = ()) -> None:
    """Refuse a checkpoint that lacks an array, or has one that its format does not define.

    Raises:
        DamagedError: names the arrays.
    """
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise DamagedError(f"{path}: lacks {', '.join(missing)}")
    extra = sorted(set(arrays) - set(needed) - set(allowed))
    if extra:
        raise DamagedError(f"{path}: contains {', '.join(extra)}, which this format does not have")
    broken = [name for name in arrays if not np.isfinite(np.asarray(arrays[name], np.float64)).all()]
    if broken:
        raise DamagedError(f"{path}: {broken[0]} contains NaN or infinite numbers")


def whole_k(config: Mapping[str, Any], path: Path) -> int:
    """The field k of a configuration.

    Raises:
        DamagedError: it is missing or not a whole number.
    """
    k = config.get("k")
    if not isinstance(k, int):
        raise DamagedError(f"{path}: field k is missing or not a whole number")
    return k


def read_float32(path: Path) -> dict[str, Float32]:
    """The arrays of a safetensors file as float32."""
    return {name: np.asarray(array, np.float32) for name, array in read_arrays(path).items()}


def write_checkpoint(folder: Path, config: tuple[str, Mapping[str, Any]], weights: Mapping[str, Arrays]) -> None:
    """Write a folder with a configuration (file name, content) and safetensors files (name -> arrays).

    Raises:
        InputError: the folder exists already.
    """
    with new_folder(folder) as scratch:
        for name, arrays in weights.items():
            write_arrays(scratch / name, arrays)
        write_text(scratch / config[0], json.dumps(config[1], indent=2) + "\n")


def check_top_k(sae: SparseAutoencoder, format_name: str) -> None:
    """Refuse an autoencoder with thresholds.

    Raises:
        InputError: the format has no thresholds.
    """
    if sae.k is None:
        raise InputError(
            f"{format_name} keeps the k largest of a row; this autoencoder keeps what is above fixed thresholds"
        )


def with_decoder_bias(bias: Float32, encoder_weight: Float32, decoder_bias: Float32) -> Float32:
    """b_e = bias + W_e b, for an encoder that, unlike ours, does not subtract the decoder bias b from its input."""
    added = encoder_weight.astype(np.float64) @ decoder_bias
    return np.asarray(bias.astype(np.float64) + added, np.float32)
