"""PyTorch state files, read without running any code in them."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np

from ..arrays import Float32
from ..errors import DamagedError
from ..extras import require
from .atomic import write_bytes
from .paths import no_file, path_of

WRAPPERS = ("state_dict", "model_state_dict")
PREFIXES = ("module.", "_orig_mod.")


def read_torch_state(path: Path) -> dict[str, Float32]:
    """The tensors of a PyTorch state file as float32 arrays, without wrappers and name prefixes.

    Raises:
        InputError: no such file. DamagedError: not a state file, or it contains more than tensors.
    """
    torch, state = require("torch", "encoders"), load_torch(path)
    for wrapper in WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not isinstance(state, dict):
        raise DamagedError(f"{path}: contains a {type(state).__name__}, not a state dictionary")
    arrays = {}
    for name, value in state.items():
        if isinstance(value, int | float):
            value = torch.tensor(float(value))
        if isinstance(value, torch.Tensor):
            arrays[_bare(str(name))] = np.asarray(value.detach().float().numpy(), np.float32)
    return arrays


def load_torch(path: Path) -> object:
    """Load what torch.save wrote, on the CPU: tensors, numbers, strings and collections of them, but no code.

    Raises:
        InputError: no such file. DamagedError: not such a file.
    """
    torch = require("torch", "encoders")
    path = path_of(path)
    if not path.is_file():
        raise no_file(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
        raise DamagedError(f"{path}: not a plain PyTorch state file ({reason})") from error


def save_torch(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and numbers with torch.save, completely or not at all."""
    buffer = BytesIO()
    require("torch", "encoders").save(state, buffer)
    write_bytes(path, buffer.getvalue())


def _bare(name: str) -> str:
    while name.startswith(PREFIXES):
        name = name.split(".", 1)[1]
    return name
