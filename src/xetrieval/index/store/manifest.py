"""config.json of an index."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...configs import ChunkConfig
from ...configs.build import SHARD_ROWS
from ...errors import DamagedError
from ...files import digest_of
from ...files.kind import NAME
from ...files.manifest import check_file, read_config
from ...records import read_record
from ...views import ORIGINAL, check_aspect
from .layout import EXPLAINER, KIND, TYPES, word_files
from .texts import ReadTotals

WITH_FILES: Final = 3  # version from which on a manifest has `files`
EXPLAINERS: Final = re.compile(rf"{EXPLAINER}(-\d{{6,}})?")


@dataclass(frozen=True)
class Manifest:
    """What an index contains; `generation` counts the changes to it."""

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
    explainer_folder: str = EXPLAINER
    files: dict[str, str] = field(default_factory=dict)  # hash of every further file of the index; none yet
    version: int = KIND.version  # of the format

    @property
    def rows(self) -> int:
        """The number of rows, including deleted ones."""
        return sum(int(record["rows"]) for _, record in self.shards)

    @property
    def alive(self) -> int:
        """The number of documents that can be found."""
        return self.rows - self.gone

    @property
    def firsts(self) -> list[int]:
        """The first row of each shard."""
        return [0, *np.cumsum([int(record["rows"]) for _, record in self.shards])[:-1].tolist()]

    @property
    def names(self) -> frozenset[str]:
        """The folders of its shards."""
        return frozenset(name for name, _ in self.shards)

    @property
    def has_words(self) -> list[bool]:
        """Whether each shard has the words of its documents."""
        return [word_files(self.features)[0] in record["files"] for _, record in self.shards]

    @property
    def next_shard(self) -> int:
        """The number of the next new shard."""
        return max((int(name) for name, _ in self.shards), default=-1) + 1

    @property
    def next_explainer(self) -> str:
        """The folder of the next explainer, which no explainer has had."""
        number = int(self.explainer_folder.partition("-")[2] or 0)
        return f"{EXPLAINER}-{max(self.generation, number) + 1:06d}"

    @property
    def chunking(self) -> ChunkConfig | None:
        """How documents were cut when texts were last added; None if that is not recorded."""
        found = [event.get("chunking") for event in self.history]
        return next((read_record(ChunkConfig, one) for one in reversed(found) if one and "tokens" in one), None)

    @property
    def read(self) -> ReadTotals | None:
        """How much of all texts ever added the encoder could read; None if that is not recorded."""
        found = [event.get("read") for event in self.history]
        return sum((ReadTotals(**one) for one in found if one), ReadTotals()) if all(found) else None

    @property
    def deleted_file(self) -> str:
        """The file with the deleted rows of this generation."""
        return f"deleted-{self.generation:06d}.u64"

    def deleted(self, folder: Path) -> NDArray[np.int64]:
        """Rows that were deleted or replaced, ascending."""
        if not self.gone:
            return np.empty(0, np.int64)
        path = folder / self.deleted_file
        check_file(path, self.gone_sha256)
        rows = np.fromfile(path, TYPES["u64"])
        if len(rows) != self.gone or int(rows[-1]) >= self.rows or (rows[1:] <= rows[:-1]).any():
            raise DamagedError(f"{path}: not {self.gone} rows of this index; restore it")
        return rows.astype(np.int64)

    def to_dict(self) -> dict[str, Any]:
        """The content of config.json, with a hash of everything."""
        facts: dict[str, Any] = {
            "format": KIND.format,
            "format_version": self.version,
            "generation": self.generation,
            "documents": self.alive,
            "explainer": {
                "name": self.explainer,
                "digest": self.explainer_digest,
                "encoder": self.encoder,
                "files": self.explainer_files,
                **({} if self.explainer_folder == EXPLAINER else {"folder": self.explainer_folder}),
            },
            "dimension": self.dimension,
            "features": self.features,
            "views": list(self.views),
            "made_from": list(self.history),
            "job": self.job,
            "deleted": {"rows": self.gone, "sha256": self.gone_sha256},
            "shards": [{"name": name, **record} for name, record in self.shards],
            **({"files": self.files} if self.version >= WITH_FILES else {}),
        }
        return facts | {"sha256": digest_of(facts)}


def read_index_manifest(folder: Path) -> Manifest:
    """Read the manifest, without checking the files that it names.

    Raises:
        InputError: no index there. DamagedError: another kind or version, or a field that is missing.
    """
    config = read_config(folder, KIND)
    try:
        own = digest_of({name: value for name, value in config.items() if name != "sha256"})
    except RecursionError as error:
        raise DamagedError(f"{folder / NAME}: nested too deeply; restore it") from error
    if own != config.get("sha256"):
        raise DamagedError(f"{folder / NAME}: was altered (its own sha256 differs); restore it")
    try:
        manifest = Manifest(
            generation=_count(config["generation"], 1),
            job=_text(config["job"]),
            explainer=_text(config["explainer"]["name"]),
            explainer_digest=_text(config["explainer"]["digest"]),
            encoder=_text(config["explainer"]["encoder"]),
            dimension=_count(config["dimension"], 1),
            features=_count(config["features"], 1),
            views=_views(config["views"]),
            shards=tuple(_shard(record) for record in config["shards"]),
            gone=_count(config["deleted"]["rows"]),
            gone_sha256=_text(config["deleted"]["sha256"]),
            explainer_files=_hashes(config["explainer"]["files"]),
            history=tuple(_event(event) for event in config["made_from"]),
            explainer_folder=_folder(config["explainer"].get("folder", EXPLAINER)),
            files=_hashes(config["files"]) if config["format_version"] >= WITH_FILES else {},
            version=config["format_version"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedError(f"{folder / NAME}: field {error} is missing or of the wrong kind") from error
    if not manifest.shards or manifest.gone > manifest.rows:
        raise DamagedError(f"{folder / NAME}: no shards, or more deleted rows than rows; restore it")
    return manifest


def explainer_of(folder: Path) -> Path:
    """The folder of an index's explainer; of an index whose first build is unfinished, where it will be."""
    if not (folder / NAME).is_file():
        return folder / EXPLAINER
    return folder / read_index_manifest(folder).explainer_folder


def _folder(value: Any) -> str:
    if not EXPLAINERS.fullmatch(_text(value)):
        raise ValueError(f"folder {value[:80]!r}")
    return str(value)


def _count(value: Any, least: int = 0) -> int:
    if type(value) is not int or not least <= value < 1 << 53:
        raise ValueError(f"number {str(value)[:40]!r}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text {str(value)[:40]!r}")
    return value


def _views(value: Any) -> tuple[str, ...]:
    views = tuple(map(_text, value)) if isinstance(value, list) else ()
    if views[:1] != (ORIGINAL,):
        raise ValueError(f"views {str(value)[:40]!r}")
    return (ORIGINAL, *(check_aspect(view, "views") for view in views[1:]))


def _hashes(value: Any) -> dict[str, str]:
    """File names, which must not be paths, and hashes."""
    for name, promised in value.items():
        if Path(name).name != name or not isinstance(promised, str):
            raise ValueError(f"file {name[:80]!r}")
    return dict(value)


def _event(value: Any) -> dict[str, Any]:
    sources, vectors = value["sources"], value["vectors"]
    if not isinstance(sources, list) or not isinstance(vectors, str | None):
        raise ValueError("made_from")
    list(map(_text, sources))
    for name, count in value.get("read", {}).items():
        if name not in ReadTotals.__annotations__:
            raise ValueError(f"read {name[:40]!r}")
        _count(count)
    return {**value, "added": _count(value["added"]), "updated": _count(value["updated"])}


def _shard(value: Any) -> tuple[str, dict[str, Any]]:
    record = dict(value)
    name = _plain(record.pop("name"))
    if _count(record["rows"], 1) > SHARD_ROWS:
        raise ValueError(f"shard {name!r}")
    _text(record["texts"])
    _hashes(record["files"])
    return name, record


def _plain(name: Any) -> str:
    if not isinstance(name, str) or not name.isdigit():
        raise ValueError(f"shard name {name!r}")
    return name
