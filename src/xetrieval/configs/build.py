"""How an index is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from ..errors import InputError
from .option import Option

SHARD_ROWS: Final = 1 << 16


@dataclass(frozen=True)
class BuildConfig:
    """How a build is divided, and what it accepts.

    Args:
        shard_rows: documents of a shard.
        block: documents that go through the stages at once, and are lost when a run is killed; None chooses.
        adding: add to an existing index; otherwise an existing index is refused.
    """

    shard_rows: int = SHARD_ROWS
    block: int | None = None
    restart: Annotated[bool, Option("Discard an unfinished build of something else.")] = False
    adding: bool = False
    engine: Annotated[str, Option("loop, or ray: the same work on a cluster (extra `ray`).")] = "loop"
    force: Annotated[bool, Option("Accept vectors that seem to come from another encoder than the explainer's.")] = (
        False
    )

    def __post_init__(self) -> None:
        for name, value in (("shard_rows", self.shard_rows), ("block", self.block)):
            none = value is None and name == "block"
            if not none and (type(value) is not int or not 0 < value <= SHARD_ROWS):
                raise InputError(f"index: {name} {value!r:.40}: give a whole number from 1 to {SHARD_ROWS}")
        if self.engine not in ("loop", "ray"):
            raise InputError(f"index: engine {self.engine!r} is unknown; choose loop or ray")
