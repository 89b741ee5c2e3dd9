"""An autoencoder in a file, or in a folder of its own.

sae.safetensors    encoder.weight [F, m], encoder.bias [F], decoder.weight [m, F], b_dec [m]; k [] or thresholds [F]
config.json        format version, how it was trained, what on, figures, hash of the file
log.jsonl          one line per look at the training
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from ..errors import DamagedError, InputError, MismatchError
from ..store import half_precision, new_folder, read_arrays, sha256_of_file, write_arrays, write_text
from .model import SparseAutoencoder

FORMAT: Final = "xetrieval-sae"
VERSION: Final = 1
WEIGHTS: Final = "sae.safetensors"


def write_sae(sae: SparseAutoencoder, path: Path, half: bool = False) -> None:
    """Write the arrays, whole or not at all; the two weights in half precision if asked."""
    shorten = half_precision if half else np.asarray
    arrays: dict[str, Any] = {
        "encoder.weight": shorten(sae.encoder_weight),
        "encoder.bias": sae.encoder_bias,
        "decoder.weight": shorten(sae.decoder_weight),
        "b_dec": sae.decoder_bias,
    }
    if sae.thresholds is not None:
        arrays["thresholds"] = sae.thresholds
    else:
        arrays["k"] = np.array(sae.k, np.int64)
    write_arrays(path, arrays)


def read_sae(path: Path, k: int | None = None) -> SparseAutoencoder:
    """Read what `write_sae` wrote.

    Args:
        k: keep this many instead of what the file says.
    Raises:
        InputError: no such file. DamagedError: arrays are missing, of other shapes, or not finite.
    """
    arrays: Any = read_arrays(path)
    names = ("encoder.weight", "encoder.bias", "decoder.weight", "b_dec")
    missing = [name for name in names if name not in arrays]
    if missing:
        raise DamagedError(f"{path}: not an autoencoder of this library, it lacks {', '.join(missing)}")
    weights = [np.asarray(arrays[name], np.float32) for name in names]
    if not all(np.isfinite(array).all() for array in weights):
        raise DamagedError(f"{path}: holds numbers that are NaN or infinite")
    thresholds = np.asarray(arrays["thresholds"], np.float32) if "thresholds" in arrays and k is None else None
    if thresholds is None and k is None:
        if "k" not in arrays:
            raise DamagedError(f"{path}: has neither k nor thresholds")
        k = int(arrays["k"])
    try:
        return SparseAutoencoder(weights[0], weights[1], weights[2], weights[3], k, thresholds)
    except (MismatchError, InputError, ValueError) as error:
        raise DamagedError(f"{path}: {error}") from error


class SaeFolder(NamedTuple):
    """An autoencoder and what is known of it."""

    sae: SparseAutoencoder
    made_from: dict[str, Any]
    figures: dict[str, Any]


def save_sae(
    sae: SparseAutoencoder,
    folder: Path,
    made_from: Mapping[str, Any] | None = None,
    figures: Mapping[str, Any] | None = None,
    log: str = "",
) -> None:
    """Write an autoencoder as a folder, whole or not at all.

    Raises:
        InputError: the folder exists already, or cannot be written.
    """
    with new_folder(folder) as scratch:
        write_sae(sae, scratch / WEIGHTS)
        if log:
            write_text(scratch / "log.jsonl", log)
        config = {
            "format": FORMAT,
            "format_version": VERSION,
            "features": sae.features,
            "dimension": sae.dimension,
            "k": sae.k,
            "made_from": dict(made_from or {}),
            "figures": dict(figures or {}),
            "files": {WEIGHTS: sha256_of_file(scratch / WEIGHTS)},
        }
        write_text(scratch / "config.json", json.dumps(config, indent=2) + "\n")


def load_sae(folder: Path) -> SaeFolder:
    """Read what `save_sae` wrote.

    Raises:
        InputError: no such folder. DamagedError: a file was altered, is missing, or is of an unknown version.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise InputError(f"{folder}: no autoencoder there (no config.json)")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DamagedError(f"{path}: not JSON ({error})") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise DamagedError(f"{path}: not the configuration of an autoencoder (format is not {FORMAT})")
    if config.get("format_version") != VERSION:
        raise DamagedError(f"{path}: format version {config.get('format_version')} is not {VERSION}; upgrade xetrieval")
    weights = folder / WEIGHTS
    promised = config.get("files", {}).get(WEIGHTS)
    if not weights.is_file():
        raise DamagedError(f"{weights}: missing")
    if sha256_of_file(weights) != promised:
        raise DamagedError(f"{weights}: differs from what config.json promises (sha256); restore or train it again")
    return SaeFolder(read_sae(weights), dict(config.get("made_from", {})), dict(config.get("figures", {})))
