"""Hashes that identify artefacts by what they were made from."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path


def sha256_of_file(path: Path) -> str:
    """Hexadecimal sha256 of the file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(facts: object) -> str:
    """Hexadecimal sha256 of `facts` (any JSON value), independent of the order of keys."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def stamp_of(path: Path) -> list[object]:
    """Size in bytes and modification time in ns, of a file or of every file below a folder.

    Cheap to compute and changed by every edit. Empty if the path does not exist.
    """
    if not path.is_dir():
        return [path.stat().st_size, path.stat().st_mtime_ns] if path.exists() else []
    names = sorted(os.path.join(home, name) for home, _, names in os.walk(path) for name in names)
    return [[os.path.relpath(name, path), *stamp_of(Path(name))] for name in names]
