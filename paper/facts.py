"""Measure one step, and record how its figures were made."""

from __future__ import annotations

import importlib
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from paper.kit.results import as_json
from paper.setting import Setting
from xetrieval.files import write_text

PACKAGES = ("xetrieval", "numpy", "torch", "sentence-transformers", "scipy", "ir-measures")


def measure(setting: Setting, name: str, results: Path) -> None:
    """Run one step and write its figures, with the facts, to results/NAME.json."""
    module, started = importlib.import_module(f"paper.{name}"), time.monotonic()
    figures = module.run(setting)
    if figures is not None:
        results.mkdir(parents=True, exist_ok=True)
        made = {"figures": figures, "facts": facts(setting, name, time.monotonic() - started)}
        write_text(results / f"{name}.json", as_json(made))


def facts(setting: Setting, name: str, seconds: float) -> dict[str, Any]:
    """Seed, config of the step, versions, hardware, hashes of everything it read, and duration."""
    import torch

    card = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "scale": setting.config["about"],
        "seed": setting.config["seed"],
        "config": setting.step(name),
        "sae": setting.config["sae"],
        "versions": {package: version(package) for package in PACKAGES} | {"python": platform.python_version()},
        "hardware": {"cores": os.cpu_count(), "machine": platform.machine(), "processor": processor(), "card": card},
        "data_sha256": dict(sorted(setting.used.items())),
        "seconds": round(seconds),
    }


def processor() -> str:
    """The name of the processor, if the system reports one."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()
