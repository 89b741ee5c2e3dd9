"""Optional dependencies, imported when they are needed, and the processors that are available."""

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
    """Processors that this process may use; where the system does not say, all there are."""
    may_use = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    return len(may_use(0)) if may_use is not None else os.cpu_count() or 1
