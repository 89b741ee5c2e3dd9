"""One build as it is recorded while it is unfinished."""

from __future__ import annotations

from typing import NamedTuple


class Job(NamedTuple):
    """One build, as building/job.json records it."""

    digest: str  # of everything that decides the result
    base: int  # the generation it adds to; 0: a new index
    first: int  # number of its first shard
    added: int
    updated: int
    unchanged: int
    removed: int
    shard_rows: int
    block: int

    @property
    def rows(self) -> int:
        """Documents that it writes."""
        return self.added + self.updated

    @property
    def sizes(self) -> list[int]:
        """Documents of each of its shards."""
        return [min(self.shard_rows, self.rows - at) for at in range(0, self.rows, self.shard_rows)]
