"""The job of a build, which building/job.json records until it is finished, and the state of a running build."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...configs import BuildConfig
from ...errors import DamagedError, InputError
from ...explain import Explainer
from ...files import digest_of
from ...progress import Progress
from ..store.ids import Change, change, open_ids
from ..store.layout import BUILDING, SHARDS, TEXTS, shard_name
from ..store.manifest import Manifest
from ..store.ours import JOB, begin_building, read_job, remove_unfinished
from ..store.texts import ReadTotals, Texts

if TYPE_CHECKING:
    from .corpus import Corpus


class Job(NamedTuple):
    """What a build has to do."""

    digest: str  # hash of everything that determines the result
    base: int  # the index's generation before the build; 0: a new index
    first: int  # the number of its first shard
    added: int
    updated: int
    unchanged: int
    removed: int
    shard_rows: int
    block: int
    replaced: list[int]  # rows of the index that it replaces or removes, ascending
    words: bool  # whether the documents' words are stored, if the encoder shows its tokens

    @property
    def rows(self) -> int:
        """How many documents it writes."""
        return self.added + self.updated

    @property
    def sizes(self) -> list[int]:
        """How many documents each of its shards has."""
        return [min(self.shard_rows, self.rows - at) for at in range(0, self.rows, self.shard_rows)]

    @property
    def names(self) -> list[str]:
        """The folders of its shards."""
        return [shard_name(number) for number in range(self.first, self.first + len(self.sizes))]

    @property
    def gone(self) -> NDArray[np.int64]:
        """The rows to be replaced or removed."""
        return np.array(self.replaced, np.int64)

    def read(self, output: Path) -> ReadTotals:
        """Totals of what the encoder read and left unread in the new documents."""
        total = ReadTotals()
        for name in self.names:
            with closing(Texts(output / SHARDS / name / TEXTS)) as texts:
                total += texts.read_totals()
        return total


class Build(NamedTuple):
    """A running build."""

    corpus: Corpus
    explainer: Explainer
    output: Path
    base: Manifest | None  # manifest of the index that it adds to
    job: Job
    progress: Progress


def resumed(output: Path, base: Manifest | None, config: BuildConfig, facts: list[object]) -> Job | None:
    """The job, finished or not, that a build resumes; None if it begins a new one.

    Args:
        facts: everything that determines the result, except `base`.
    Raises:
        InputError: an index exists but the build is not adding to one, or the reverse; or there is an unfinished build
        of something else. DamagedError: the record of the unfinished build cannot be read.
    """
    known = _unfinished(output / BUILDING)
    if base is None and config.adding:
        raise InputError(f"{output}: there is no index to add to; make one with `xetrieval index build`")
    if base is not None and known is None and not config.adding:
        if base.job != digest_of([*facts, 0]):
            raise InputError(
                f"{output} already contains an index; add to it with `xetrieval index add`, or choose another"
            )
        return Job(
            base.job, 0, 0, 0, 0, base.rows, 0, config.shard_rows, config.block or 0, [], words=True
        )  # it is finished
    if known is None or config.restart:
        return None
    if known.digest != digest_of([*facts, known.base]):
        raise InputError(
            f"{output} contains an unfinished build of a different corpus, or the corpus has changed since; finish it "
            "with the command that began it, or pass --restart to throw it away"
        )
    current = 0 if base is None else base.generation
    return known if known.base in (current, current - 1) else None


def begun(
    corpus: Corpus, documents: int, output: Path, base: Manifest | None, config: BuildConfig, facts: list[object]
) -> Job:
    """Begin a new job: remove what an unfinished one left in the folder, and record the job there.

    Args:
        documents: in the corpus. facts: as for `resumed`.
    """
    remove_unfinished(output, base)
    made = Change(documents, 0, 0, 0, [])
    if base is not None:
        with open_ids(output, base) as have:
            made = change((entry.document for entry in corpus.entries()), have, replace_all=corpus.encoded)
    job = Job(
        digest=digest_of([*facts, 0 if base is None else base.generation]),
        base=0 if base is None else base.generation,
        first=0 if base is None else base.next_shard,
        added=made.added,
        updated=made.updated,
        unchanged=made.unchanged,
        removed=made.removed,
        shard_rows=config.shard_rows,
        block=config.block or 0,
        replaced=made.gone,
        words=not config.no_words,
    )
    begin_building(output, job._asdict())
    return job


def _unfinished(building: Path) -> Job | None:
    record = read_job(building)
    try:
        job = None if record is None else Job(**record)
        if job is not None:
            _ = job.gone  # checks the rows
    except (TypeError, ValueError, OverflowError) as error:
        raise DamagedError(f"{building / JOB}: damaged ({error}); move it elsewhere and build again") from error
    return job
