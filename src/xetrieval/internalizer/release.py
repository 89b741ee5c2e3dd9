"""The layout of the paper's released internalizers: model_qa.pt, model_summary.pt, model_purpose.pt."""

from __future__ import annotations

from pathlib import Path

from ..errors import DamagedError, MismatchError
from ..extras import require
from ..files.foreign import read_torch_state, save_torch
from .network import Internalizer

KEYS = {"w1": "net.0.weight", "b1": "net.0.bias", "w2": "net.2.weight", "b2": "net.2.bias"}


def read_release_internalizer(path: Path) -> Internalizer:
    """Read one `model_ASPECT.pt`.

    Raises:
        InputError: no such file. DamagedError: not an internalizer of this layout.
    """
    state = read_torch_state(path)
    missing = [key for key in KEYS.values() if key not in state]
    if missing:
        raise DamagedError(f"{path}: not an internalizer of the release, it lacks {', '.join(missing)}")
    return Internalizer(**{name: state[key] for name, key in KEYS.items()}, form="paper")


def write_release_internalizer(internalizer: Internalizer, path: Path) -> None:
    """Write one `model_ASPECT.pt` that the release's code loads.

    Raises:
        MismatchError: the residual form, which that layout cannot express.
    """
    if internalizer.form != "paper":
        raise MismatchError(
            "the release's layout supports only the paper's form; "
            "this internalizer is residual (it adds its input); to export one, fit it with --form paper"
        )
    torch = require("torch", "encoders")
    save_torch(path, {key: torch.from_numpy(getattr(internalizer, name)) for name, key in KEYS.items()})
