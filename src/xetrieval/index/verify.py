"""Whether every byte of an index is what its manifest promises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import DamagedError
from ..store.manifest import check_file
from .layout import EXPLAINER, SHARDS, TEXTS
from .manifest import read_index_manifest
from .texts import Texts


def verify_index(folder: Path, report: Callable[[int, int], None] | None = None) -> int:
    """Read everything; how many files were compared.

    Raises:
        DamagedError: a file is missing or differs; says which.
    """
    manifest = read_index_manifest(folder)
    total = sum(len(record["files"]) + 1 for _, record in manifest.shards) + len(manifest.explainer_files) + 1
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if report is not None:
            report(done, total)

    if manifest.gone:
        check_file(folder / manifest.deleted_file, manifest.gone_sha256)
    count()
    for file, promised in manifest.explainer_files.items():
        check_file(folder / EXPLAINER / file, promised)
        count()
    for name, record in manifest.shards:
        for file, promised in record["files"].items():
            check_file(folder / SHARDS / name / file, promised)
            count()
        texts = folder / SHARDS / name / TEXTS
        if not texts.is_file():
            raise DamagedError(f"{texts}: missing")
        if Texts(texts).digest() != record["texts"]:
            raise DamagedError(f"{texts}: its content differs from what config.json promises; restore it")
        count()
    return total


def folder_bytes(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
