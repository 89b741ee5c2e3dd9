"""config.json of an index."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedError
from ..store import Kind, digest_of
from ..store.kind import NAME
from ..store.manifest import read_config
from .layout import KIND, TYPES


@dataclass(frozen=True)
class Manifest:
    """What an index holds; `generation` counts the changes to it."""

    generation: int
    job: str  # digest of the build that made this generation
    explainer: str
    explainer_digest: str
    encoder: str
    dimension: int
    features: int
    views: tuple[str, ...]
    shards: tuple[tuple[str, dict[str, Any]], ...]  # folder, record
    gone: int  # rows deleted or replaced
    gone_sha256: str  # of the file that names them
    explainer_files: dict[str, str]  # hash of every file of the explainer
    history: tuple[dict[str, Any], ...]

    @property
    def rows(self) -> int:
        """All rows, deleted ones too."""
        return sum(int(record["rows"]) for _, record in self.shards)

    @property
    def alive(self) -> int:
        """Documents that can be found."""
        return self.rows - self.gone

    @property
    def firsts(self) -> list[int]:
        """The first row of each shard."""
        return [0, *np.cumsum([int(record["rows"]) for _, record in self.shards])[:-1].tolist()]

    @property
    def next_shard(self) -> int:
        """The number of a shard that is new."""
        return max((int(name) for name, _ in self.shards), default=-1) + 1

    @property
    def deleted_file(self) -> str:
        """Where the deleted rows of this generation stand."""
        return f"deleted-{self.generation:06d}.u64"

    def deleted(self, folder: Path) -> NDArray[np.int64]:
        """Rows that were deleted or replaced, ascending."""
        if not self.gone:
            return np.empty(0, np.int64)
        path = folder / self.deleted_file
        try:
            rows = np.fromfile(path, TYPES["u64"]).astype(np.int64)
        except OSError as error:
            raise DamagedError(f"{path}: missing; restore it") from error
        if len(rows) != self.gone:
            raise DamagedError(f"{path}: holds {len(rows)} rows of {self.gone}; restore it")
        return rows

    def to_dict(self, kind: Kind) -> dict[str, Any]:
        """As config.json holds it, with a hash of all of it."""
        facts: dict[str, Any] = {
            "format": kind.format,
            "format_version": kind.version,
            "generation": self.generation,
            "documents": self.alive,
            "explainer": {
                "name": self.explainer,
                "digest": self.explainer_digest,
                "encoder": self.encoder,
                "files": self.explainer_files,
            },
            "dimension": self.dimension,
            "features": self.features,
            "views": list(self.views),
            "made_from": list(self.history),
            "job": self.job,
            "deleted": {"rows": self.gone, "sha256": self.gone_sha256},
            "shards": [{"name": name, **record} for name, record in self.shards],
        }
        return facts | {"sha256": digest_of(facts)}


def read_index_manifest(folder: Path) -> Manifest:
    """The manifest; the files that it names are not looked at.

    Raises:
        InputError: no index there. DamagedError: another kind or version, or a field that is missing.
    """
    config = read_config(folder, KIND)
    if digest_of({name: value for name, value in config.items() if name != "sha256"}) != config.get("sha256"):
        raise DamagedError(f"{folder / NAME}: was altered (its own sha256 differs); restore it")
    try:
        shards = [dict(record) for record in config["shards"]]
        return Manifest(
            generation=int(config["generation"]),
            job=str(config["job"]),
            explainer=str(config["explainer"]["name"]),
            explainer_digest=str(config["explainer"]["digest"]),
            encoder=str(config["explainer"]["encoder"]),
            dimension=int(config["dimension"]),
            features=int(config["features"]),
            views=tuple(map(str, config["views"])),
            shards=tuple((_plain(record.pop("name")), record) for record in shards),
            gone=int(config["deleted"]["rows"]),
            gone_sha256=str(config["deleted"]["sha256"]),
            explainer_files=dict(config["explainer"]["files"]),
            history=tuple(config["made_from"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"{folder / NAME}: field {error} is missing or of the wrong kind") from error


def _plain(name: Any) -> str:
    if not isinstance(name, str) or not name.isdigit():
        raise ValueError(f"shard name {name!r}")
    return name
