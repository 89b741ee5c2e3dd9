"""Optional dependencies, imported at the moment of need."""

from __future__ import annotations

import importlib
from types import ModuleType

from .errors import MissingExtra


def require(module: str, extra: str) -> ModuleType:
    """Import `module`, or raise MissingExtra whose text is the command that installs it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name.split(".")[0]):
            raise  # something inside an installed package is broken: do not hide it
        raise MissingExtra(f'{module} is not installed; run: pip install "xetrieval[{extra}]"') from error
