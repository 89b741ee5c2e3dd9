"""What every reader of a foreign checkpoint checks first, and the two files most of them consist of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DamagedError
from ...files import read_arrays, read_json

Arrays = Mapping[str, NDArray[Any]]


def check_keys(path: Path, arrays: Arrays, needed: Sequence[str], allowed: Sequence[str] = ()) -> None:
    """Refuse a checkpoint that lacks an array, or has one whose meaning is not known here.

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


def read_config(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        InputError: no such file. DamagedError: it is not a JSON object.
    """
    config = read_json(path)
    if not isinstance(config, dict):
        raise DamagedError(f"{path}: not a JSON object")
    return config


def read_float32(path: Path) -> dict[str, NDArray[np.float32]]:
    """Arrays of a safetensors file in float32."""
    return {name: np.asarray(array, np.float32) for name, array in read_arrays(path).items()}
