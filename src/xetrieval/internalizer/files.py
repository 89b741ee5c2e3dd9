"""Internalizers in a file or in a folder.

internalizers.safetensors   ASPECT.w1, ASPECT.b1, ASPECT.w2, ASPECT.b2 (weights in half precision)
config.json                 format version, the encoder of their input vectors, forms, provenance, metrics
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..configs.internalizer import Form
from ..errors import DamagedError, InputError, MismatchError
from ..files import Kind, facts_of, half_precision, new_folder, read_arrays, read_manifest, write_arrays, write_manifest
from ..views import View, check_aspect, in_order
from .network import Internalizer

KIND: Final = Kind("xetrieval-internalizers", 2, "internalizers")
WEIGHTS: Final = "internalizers.safetensors"
PARTS: Final = ("w1", "b1", "w2", "b2")


def write_internalizers(internalizers: Mapping[View, Internalizer], path: Path) -> None:
    """Write the arrays, completely or not at all; the two weights in half precision."""
    arrays: dict[str, NDArray[np.generic]] = {}
    for aspect, net in internalizers.items():
        for part in PARTS:
            array = getattr(net, part)
            arrays[f"{aspect}.{part}"] = half_precision(array) if part.startswith("w") else array
    write_arrays(path, arrays)


def read_internalizers(path: Path, forms: Mapping[View, Mapping[str, Form]]) -> dict[View, Internalizer]:
    """The internalizers of a file, in the views' order.

    Args:
        forms: aspect -> {"form": paper | residual}; other aspects are not read.
    Raises:
        DamagedError: an array is missing or has the wrong shape, or an aspect's name is invalid.
    """
    arrays = {name: np.asarray(array, np.float32) for name, array in read_arrays(path).items()} if forms else {}
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise DamagedError(f"{path}: contains NaN or infinite numbers")
    try:
        return {
            check_aspect(aspect, str(path)): Internalizer(
                **{part: arrays[f"{aspect}.{part}"] for part in PARTS}, form=forms[aspect]["form"]
            )
            for aspect in in_order(forms)
        }
    except (MismatchError, InputError) as error:
        raise DamagedError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"{path}: {error} is missing or of the wrong kind") from error


class InternalizerFolder(NamedTuple):
    """Internalizers with their provenance and metrics."""

    internalizers: dict[View, Internalizer]
    encoder: dict[str, Any]  # fields of the encoder's identity
    provenance: dict[str, Any]
    metrics: dict[str, Any]


def save_internalizers(
    internalizers: Mapping[View, Internalizer],
    folder: Path,
    encoder: Mapping[str, Any],
    provenance: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> None:
    """Write internalizers as a folder, completely or not at all.

    Raises:
        InputError: the folder exists already, or cannot be written.
    """
    with new_folder(folder) as scratch:
        write_internalizers(internalizers, scratch / WEIGHTS)
        facts = {
            "encoder": dict(encoder),
            "internalizers": {aspect: {"form": net.form} for aspect, net in internalizers.items()},
            "made_from": dict(provenance),
            "figures": dict(metrics),
        }
        write_manifest(scratch, KIND, facts, [WEIGHTS])


def load_internalizers(folder: Path) -> InternalizerFolder:
    """Read what `save_internalizers` wrote.

    Raises:
        InputError: no such folder. DamagedError: a file was altered, is missing, or is of an unknown version.
    """
    config = read_manifest(folder, KIND)
    forms = config.get("internalizers")
    if not isinstance(forms, dict) or not isinstance(config.get("encoder"), dict):
        raise DamagedError(f"{folder}/config.json: field 'internalizers' or 'encoder' is missing or of the wrong kind")
    return InternalizerFolder(
        read_internalizers(folder / WEIGHTS, forms),
        config["encoder"],
        facts_of(config, "made_from", folder),
        facts_of(config, "figures", folder),
    )
