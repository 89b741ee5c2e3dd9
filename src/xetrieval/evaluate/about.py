"""A short introduction to an index: whether its explainer fits its documents, and example queries to try."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..index import Index
from ..progress import silent
from ..records import Record
from .doctor import SAMPLE, figures_of, refit_command, verdict_of

EXAMPLES: Final = 4
LOOKED_AT: Final = 60  # documents
SHORTEST, LONGEST = 12, 90  # characters of an example
FIRST_SENTENCE: Final = re.compile(r"(?<=[.?!])\s|\n")


@dataclass(frozen=True)
class About(Record):
    """Whether an index's explainer was made for its documents, and queries from their titles."""

    documents: int
    verdict: str  # that of `doctor`
    why: str  # the figures behind it
    advice: str  # what to do; empty if the verdict is good
    examples: tuple[str, ...]


def about(index: Index, seed: int = 0) -> About:
    """The verdict of a checkup that is given no queries, and example queries."""
    if not len(index):
        return About(0, "no documents", "every document was deleted", "", ())
    drawn = np.random.default_rng(seed).permutation(index.alive)
    sample = np.sort(drawn[:SAMPLE])
    found = verdict_of(len(index), figures_of(index, None, sample, index.vectors(sample), silent))
    needed = found["verdict"] in ("partly", "not made for this")
    advice = f"features learned from these documents explain more: {refit_command(index)}" if needed else ""
    return About(len(index), found["verdict"], found["why"], advice, _examples(index, drawn[:LOOKED_AT].tolist()))


def _examples(index: Index, rows: list[int]) -> tuple[str, ...]:
    """Different titles of readable length; without titles, first sentences of texts."""
    documents = [index.document(row) for row in rows]
    titles = [" ".join(one.title.split()) for one in documents if one.title != one.id]
    texts = [FIRST_SENTENCE.split(one.text.removeprefix(one.title).strip(), 1)[0] for one in documents]
    for candidates in (titles, texts):
        some = dict.fromkeys(text for text in candidates if SHORTEST <= len(text) <= LONGEST)
        if some:
            return tuple(some)[:EXAMPLES]
    return ()
