"""How an index is built."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from ..errors import InputError
from ..records import Brief
from .option import Checked, Option, Range, Seed
from .sae import check_device_name

SHARD_ROWS: Final = 1 << 16


@dataclass(frozen=True)
class BuildConfig(Brief, Checked):
    """How the work of a build is divided, and what it accepts.

    Args:
        shard_rows: documents per shard.
        block: documents processed at once, and lost if the run is killed; None chooses automatically.
        adding: add to an existing index; otherwise an existing index is refused.
    """

    shard_rows: Annotated[int, Range(1, SHARD_ROWS)] = SHARD_ROWS
    block: Annotated[int | None, Range(1, SHARD_ROWS)] = None
    restart: Annotated[bool, Option("Discard an unfinished build of a different corpus.")] = False
    adding: bool = False
    engine: Annotated[str, Option("loop, or ray to do the same work on a cluster (extra `ray`).")] = "loop"
    force: Annotated[bool, Option("Accept vectors that seem to come from a different encoder.")] = False
    dictionary: Annotated[
        str | Path | None,
        Option(
            "The features of a new index: corpus (learned from it), shipped, or another explainer's folder; default: "
            "corpus if it has 150 passages or more and the explainer is the shipped one."
        ),
    ] = None
    no_words: Annotated[
        bool,
        Option(
            "Do not store which words of each document carry its features. With words, every document is encoded; "
            "without, vectors in the cache are used."
        ),
    ] = False
    device: Annotated[str, Option("Where the autoencoder is trained: cpu, cuda, cuda:1, mps or xpu.")] = "cpu"
    seed: Annotated[Seed, Option("For training a dictionary: the same corpus and seed give the same features.")] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("no_words", "force", "restart", "adding"):
            if type(getattr(self, name)) is not bool:
                raise InputError(f"index: {name} {getattr(self, name)!r:.40}: give True or False")
        check_device_name(self.device)
        if self.dictionary is not None and not isinstance(self.dictionary, str | os.PathLike):
            raise InputError(f"index: dictionary {self.dictionary!r:.40}: give corpus, shipped, or a folder")
        if self.adding and (self.dictionary is not None or self.seed or self.device != "cpu"):
            raise InputError(
                "index: --dictionary, --device and --seed are for a new index; this one already has a dictionary"
            )
        if self.engine not in ("loop", "ray"):
            raise InputError(f"index: engine {self.engine!r} is unknown; choose loop or ray")
