"""config.json of an index."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...configs import ChunkConfig
from ...configs.build import SHARD_ROWS
from ...errors import DamagedError
from ...features import LabelledFeature
from ...files.kind import NAME
from ...files.manifest import SEAL, check_file, read_config, sealed
from ...records import Brief, Record, read_record
from ...views import ORIGINAL, check_aspect
from .layout import EXPLAINER, KIND, TYPES, word_files
from .texts import ReadTotals

WITH_FILES: Final = 3  # the first version whose manifest has `files`
COMPUTED: Final = ("format", "documents", SEAL)
EXPLAINERS: Final = re.compile(rf"{EXPLAINER}(-\d{{6,}})?")


@dataclass(frozen=True)
class IndexExplainer(Brief):
    """The explainer of an index."""

    name: str
    digest: str
    encoder: str
    files: dict[str, str]  # hash of every file
    folder: str = ""  # its folder, if not EXPLAINER
    removed: tuple[LabelledFeature, ...] = ()  # features removed from the vectors of all documents

    json_keys = ("name", "digest", "encoder", "files", "folder?", "removed?")


@dataclass(frozen=True)
class DeletedRows:
    """How many rows were deleted or replaced, and the hash of the file that lists them."""

    rows: int
    sha256: str  # empty for none


@dataclass(frozen=True)
class Manifest(Record):
    """What an index contains; `generation` counts the changes to it."""

    generation: int
    explainer: IndexExplainer
    dimension: int
    features: int
    views: tuple[str, ...]
    made_from: tuple[dict[str, Any], ...]
    job: str  # digest of the build that made this generation
    deleted: DeletedRows
    shards: tuple[dict[str, Any], ...]  # name, rows, hashes of texts and files
    files: dict[str, str]  # hash of every other file of the index; none yet
    format_version: int

    json_keys = (
        *("format_version", "generation", "documents=alive", "explainer", "dimension", "features", "views"),
        *("made_from", "job", "deleted", "shards", "files"),
    )

    def check(self) -> None:
        """Raise ValueError, TypeError or KeyError unless the values are possible."""
        files = [pair for one in (self.explainer, self) for pair in one.files.items()]
        files += [pair for shard in self.shards for pair in shard["files"].items()]
        texts = [*(promised for _, promised in files), *(shard["texts"] for shard in self.shards)]
        counts = [self.generation, self.dimension, self.features, *(shard["rows"] for shard in self.shards)]
        read = [item for event in self.made_from for item in event.get("read", {}).items()]
        more = [self.deleted.rows, *(event[name] for event in self.made_from for name in ("added", "updated"))]
        more += [count for _, count in read]
        for text in [*texts, *(source for event in self.made_from for source in event["sources"])]:
            read_record(str, text)
        if not all(type(n) is int and n < 1 << 53 for n in (*counts, *more)) or min(counts) < 1 or min(more) < 0:
            raise ValueError("a number is too small or too large")
        if any(Path(name).name != name for name, _ in files):
            raise ValueError("a file is outside its folder")
        if not EXPLAINERS.fullmatch(self.explainer_folder):
            raise ValueError(f"folder {self.explainer_folder[:80]!r}")
        if not all(isinstance(event["vectors"], str | None) for event in self.made_from):
            raise ValueError("made_from")
        self.chunking  # noqa: B018  # raises if it cannot be read
        if unknown := {name for name, _ in read} - ReadTotals.__annotations__.keys():
            raise ValueError(f"read {next(iter(unknown))[:40]!r}")
        if self.views[:1] != (ORIGINAL,) or any(check_aspect(view, "views") != view for view in self.views[1:]):
            raise ValueError(f"views {str(self.views)[:40]}")
        if not all(shard["name"].isdigit() and shard["rows"] <= SHARD_ROWS for shard in self.shards):
            raise ValueError("a shard's name or rows")
        if not self.shards or self.deleted.rows > self.rows:
            raise ValueError("no shards, or more deleted rows than rows")

    @property
    def explainer_folder(self) -> str:
        """The folder of its explainer."""
        return self.explainer.folder or EXPLAINER

    @property
    def rows(self) -> int:
        """The number of rows, including deleted ones."""
        return sum(shard["rows"] for shard in self.shards)

    @property
    def alive(self) -> int:
        """The number of documents that can be found."""
        return self.rows - self.deleted.rows

    @property
    def firsts(self) -> list[int]:
        """The first row of each shard."""
        return [0, *np.cumsum([shard["rows"] for shard in self.shards])[:-1].tolist()]

    @property
    def shard_records(self) -> list[tuple[str, dict[str, Any]]]:
        """The folder of each shard, and the record stored in it."""
        return [(one["name"], {key: one[key] for key in one if key != "name"}) for one in self.shards]

    @property
    def names(self) -> frozenset[str]:
        """The folders of its shards."""
        return frozenset(shard["name"] for shard in self.shards)

    @property
    def has_words(self) -> list[bool]:
        """Whether each shard has the words of its documents."""
        return [word_files(self.features)[0] in shard["files"] for shard in self.shards]

    @property
    def next_shard(self) -> int:
        """The number of the next new shard."""
        return max((int(name) for name in self.names), default=-1) + 1

    @property
    def next_explainer(self) -> str:
        """The folder for the next explainer, which has never been used."""
        number = int(self.explainer_folder.partition("-")[2] or 0)
        return f"{EXPLAINER}-{max(self.generation, number) + 1:06d}"

    @property
    def chunking(self) -> ChunkConfig | None:
        """How documents were cut when texts were last added; None if that is not recorded."""
        found = [event.get("chunking") for event in self.made_from]
        return next((read_record(ChunkConfig, one) for one in reversed(found) if one and "tokens" in one), None)

    @property
    def counts_reading(self) -> bool:
        """Whether the index records how much of each text the encoder could read."""
        return all(event.get("read") for event in self.made_from)

    @property
    def deleted_file(self) -> str:
        """The file with the deleted rows of this generation."""
        return f"deleted-{self.generation:06d}.u64"

    def deleted_rows(self, folder: Path) -> NDArray[np.int64]:
        """Rows that were deleted or replaced, ascending."""
        if not self.deleted.rows:
            return np.empty(0, np.int64)
        path = folder / self.deleted_file
        check_file(path, self.deleted.sha256)
        rows = np.fromfile(path, TYPES["u64"])
        if len(rows) != self.deleted.rows or int(rows[-1]) >= self.rows or (rows[1:] <= rows[:-1]).any():
            raise DamagedError(f"{path}: not {self.deleted.rows} rows of this index; restore it")
        return rows.astype(np.int64)

    def to_dict(self) -> dict[str, Any]:
        """The content of config.json, with a hash of everything."""
        facts = {"format": KIND.format, **super().to_dict()}
        if self.format_version < WITH_FILES:
            del facts["files"]
        return sealed(facts)


def read_index_manifest(folder: Path) -> Manifest:
    """Read the manifest, without checking the files that it names.

    Raises:
        InputError: no index there. DamagedError: the wrong kind or version, or a missing field.
    """
    config = read_config(folder, KIND)
    if SEAL not in config:
        raise DamagedError(f"{folder / NAME}: was altered (its own {SEAL} is missing); restore it")
    stored = {name: value for name, value in config.items() if name not in COMPUTED}
    if config["format_version"] < WITH_FILES:
        stored["files"] = {}
    try:
        manifest = read_record(Manifest, stored)
        manifest.check()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedError(f"{folder / NAME}: not the configuration of an index ({error}); restore it") from error
    return manifest


def explainer_of(folder: Path) -> Path:
    """The folder of an index's explainer; if the first build is unfinished, the folder where it will be."""
    if not (folder / NAME).is_file():
        return folder / EXPLAINER
    return folder / read_index_manifest(folder).explainer_folder
