"""Optional dependencies, imported when needed, and the number of available processors."""

from __future__ import annotations

import importlib
import os
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


def processors() -> int:
    """How many processors this process may use; all of them where the system does not say."""
    may_use = getattr(os, "sched_getaffinity", None)  # only on Linux
    return len(may_use(0)) if may_use is not None else os.cpu_count() or 1
