"""Reads and writes other libraries' checkpoints. Conversions that would lose information are refused with a reason."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

from ...errors import InputError
from ...files import path_of
from ...registry import CHECKPOINT_FORMATS
from ..model import SparseAutoencoder


class Format(NamedTuple):
    """One checkpoint format: how it is read and written."""

    read: Callable[[Path], SparseAutoencoder]
    write: Callable[[SparseAutoencoder, Path], None]


def _foreign(name: str) -> Format:
    module = import_module(f".{name.replace('-', '_')}", __package__)
    return Format(module.read, module.write)


FORMATS: Final[dict[str, Format]] = {
    "xetrieval": Format(SparseAutoencoder.load, lambda sae, path: sae.save(path)),
    **{name: _foreign(name) for name in CHECKPOINT_FORMATS},
}


def convert(source: Path, of: str, target: Path, to: str) -> SparseAutoencoder:
    """Read `source` in the format `of` and write it to `target` in the format `to`. Returns what was read.

    Raises:
        InputError: an unknown format, no such file, `target` exists, or the target format cannot represent it exactly.
        DamagedError: the source is not what its format promises.
    """
    for name in (of, to):
        if name not in FORMATS:
            raise InputError(f"format {name!r} is unknown; choose one of {', '.join(FORMATS)}")
    sae = FORMATS[of].read(path_of(source))
    FORMATS[to].write(sae, target)
    return sae
