"""Named arrays in a safetensors file, and checks of .npy files."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedError, XetrievalError
from .atomic import write_bytes
from .paths import no_file, path_of


def write_arrays(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Write `arrays` to `path`, completely or not at all."""
    from safetensors.numpy import save

    write_bytes(path, save({name: np.asarray(array, order="C") for name, array in arrays.items()}))


def read_arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    """Read every array of a safetensors file.

    Raises:
        InputError: there is no such file. DamagedError: it is not a complete safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = path_of(path)
    if not path.is_file():
        raise no_file(path)
    try:
        arrays: dict[str, NDArray[np.generic]] = load_file(path)
    except (SafetensorError, ValueError, KeyError) as error:
        raise DamagedError(f"{path}: not a complete safetensors file ({error}); download or create it again") from error
    return arrays


def check_written(path: Path) -> None:
    """Raise OSError for a .npy file that is shorter than its header says: NumPy may not notice that a disk is full."""
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, kind = read(file)
            whole = file.tell() + math.prod(shape) * kind.itemsize <= size
        except ValueError:
            whole = False
    if not whole:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def half_precision(array: NDArray[np.float32]) -> NDArray[np.float16]:
    """`array` in 16 bits.

    Raises:
        XetrievalError: a number does not fit.
    """
    half = array.astype(np.float16)
    if not np.isfinite(half).all():
        raise XetrievalError(
            "a weight is too large for half precision (over 65,504): the training diverged; lower the learning rate"
        )
    return half
