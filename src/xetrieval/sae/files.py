"""Reads and writes an autoencoder as a file or a folder.

sae.safetensors    encoder.weight [F, m], encoder.bias [F], decoder.weight [m, F], b_dec [m]; k [] or thresholds [F]
config.json        format version, how and on what it was trained, metrics, hash of the file
log.jsonl          the progress of the training run, one JSON object per line
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from ..errors import DamagedError, InputError, MismatchError
from ..files import (
    Kind,
    facts_of,
    half_precision,
    new_folder,
    read_arrays,
    read_manifest,
    write_arrays,
    write_manifest,
    write_text,
)
from .model import SparseAutoencoder

KIND: Final = Kind("xetrieval-sae", 1, "an autoencoder")
WEIGHTS: Final = "sae.safetensors"


def write_sae(sae: SparseAutoencoder, path: Path, *, half: bool = False) -> None:
    """Write the arrays, completely or not at all; with `half`, the two weights in half precision."""
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
        k: use this k instead of the file's.
    Raises:
        InputError: no such file. DamagedError: arrays are missing, have the wrong shape, or are not finite.
    """
    arrays: Any = read_arrays(path)
    names = ("encoder.weight", "encoder.bias", "decoder.weight", "b_dec")
    missing = [name for name in names if name not in arrays]
    if missing:
        raise DamagedError(f"{path}: not an autoencoder of this library: it lacks {', '.join(missing)}")
    weights = [np.asarray(arrays[name], np.float32) for name in names]
    if not all(np.isfinite(array).all() for array in weights):
        raise DamagedError(f"{path}: contains NaN or infinite numbers")
    thresholds = np.asarray(arrays["thresholds"], np.float32) if "thresholds" in arrays and k is None else None
    if thresholds is None and k is None:
        if "k" not in arrays:
            raise DamagedError(f"{path}: has neither k nor thresholds")
        k = _whole(arrays["k"], path)
    try:
        return SparseAutoencoder(weights[0], weights[1], weights[2], weights[3], k, thresholds)
    except (MismatchError, InputError, ValueError) as error:
        raise DamagedError(f"{path}: {error}") from error


def _whole(array: Any, path: Path) -> int:
    if np.shape(array) not in ((), (1,)) or np.asarray(array).dtype.kind not in "iu":
        raise DamagedError(f"{path}: k is not a whole number")
    return int(np.asarray(array).reshape(-1)[0])


class SaeFolder(NamedTuple):
    """An autoencoder with its provenance and metrics."""

    sae: SparseAutoencoder
    provenance: dict[str, Any]
    metrics: dict[str, Any]


def write_sae_folder(
    sae: SparseAutoencoder, folder: Path, provenance: Mapping[str, Any], metrics: Mapping[str, Any], log: str
) -> None:
    """Write an autoencoder as a folder; see `SparseAutoencoder.save`."""
    with new_folder(folder) as scratch:
        write_sae(sae, scratch / WEIGHTS)
        if log:
            write_text(scratch / "log.jsonl", log)
        facts = {
            "features": sae.features,
            "dimension": sae.dimension,
            "k": sae.k,
            "made_from": dict(provenance),
            "figures": dict(metrics),
        }
        write_manifest(scratch, KIND, facts, [WEIGHTS])


def read_sae_folder(folder: Path) -> SaeFolder:
    """Read an autoencoder with its provenance and metrics.

    Raises:
        InputError: no such folder. DamagedError: a file was altered, is missing, or is of an unknown version.
    """
    config = read_manifest(folder, KIND)
    if WEIGHTS not in config["files"]:
        raise DamagedError(f"{folder}/config.json: does not list {WEIGHTS}")
    provenance, metrics = (facts_of(config, field, folder) for field in ("made_from", "figures"))
    return SaeFolder(read_sae(folder / WEIGHTS), provenance, metrics)
