"""config.json, the manifest of a stored folder: kind, format version, facts, hashes of all files and of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ..errors import DamagedError, InputError
from .atomic import write_text
from .folders import recover
from .hashing import digest_of, sha256_of_file
from .json_text import read_json
from .kind import NAME, Kind

SEAL: Final = "sha256"  # the field with the hash of all others; explainers of earlier releases lack it


def write_manifest(folder: Path, kind: Kind, facts: Mapping[str, Any], files: Sequence[str]) -> None:
    """Write config.json. `files` must exist in the folder."""
    hashes = {name: sha256_of_file(folder / name) for name in files}
    text = json.dumps({"format": kind.format, "format_version": kind.version, **facts, "files": hashes})
    config = json.loads(text)  # as it will be read, with text for every key
    write_text(folder / NAME, json.dumps(sealed(config), indent=2, ensure_ascii=False) + "\n")


def sealed(config: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest with the hash of everything in it."""
    facts = {name: value for name, value in config.items() if name != SEAL}
    return {**facts, SEAL: digest_of(facts)}


def read_manifest(folder: Path, kind: Kind) -> dict[str, Any]:
    """Read config.json and check the hash of every file that it names.

    Raises:
        InputError: no config.json. DamagedError: the wrong kind or version, or a file that is missing or was altered.
    """
    config = read_config(folder, kind)
    files = config.get("files")
    if not isinstance(files, dict):
        raise DamagedError(f"{folder / NAME}: field 'files' is missing or of the wrong kind")
    for name, promised in files.items():
        if Path(name).name != name or not isinstance(promised, str):
            raise DamagedError(f"{folder / NAME}: file {name!r} is outside the folder")
        check_file(folder / name, promised)
    return config


def facts_of(config: Mapping[str, Any], field: str, folder: Path) -> dict[str, Any]:
    """A field of the manifest that is an object; empty if it is absent.

    Raises:
        DamagedError: it is not a JSON object.
    """
    facts = config.get(field, {})
    if not isinstance(facts, dict):
        raise DamagedError(f"{folder / NAME}: field {field!r} is not a JSON object")
    return facts


def check_file(path: Path, promised: str) -> None:
    """Raise DamagedError unless `path` has the hash that its manifest promises."""
    if not path.is_file():
        raise DamagedError(f"{path}: missing")
    if sha256_of_file(path) != promised:
        raise DamagedError(f"{path}: differs from what {NAME} promises (sha256); restore or make it again")


def read_config(folder: Path, kind: Kind) -> dict[str, Any]:
    """Read config.json without checking the files that it names.

    Raises:
        InputError: no config.json. DamagedError: the wrong kind or version, or it was altered.
    """
    recover(folder)
    path = folder / NAME
    if not path.is_file():
        raise InputError(f"{folder}: does not contain {kind.words} (no {NAME})")
    config = read_json(path)
    if not isinstance(config, dict) or config.get("format") != kind.format:
        raise DamagedError(f"{path}: not the configuration of {kind.words} (format is not {kind.format})")
    version, oldest = config.get("format_version"), kind.version if kind.oldest is None else kind.oldest
    if type(version) is not int or not oldest <= version <= kind.version:
        raise DamagedError(
            f"{path}: format version {version} is not {kind.version}, the one this release reads; upgrade xetrieval or "
            f"{kind.remedy}"
        )
    if SEAL in config and config != sealed(config):
        raise DamagedError(f"{path}: was altered (its own {SEAL} differs); restore it or {kind.remedy}")
    return config
