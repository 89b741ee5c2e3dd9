"""The answer to a search, the same for the command line, the API and Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...explain import Reading
from ...records import Record
from ..search.mode import Query
from ..search.ranking import Hit
from .overview import Overview


@dataclass(frozen=True)
class SearchAnswer(Record):
    """Hits of a query, and the overview if requested."""

    query: str
    read: Reading  # how much of the query the encoder could read
    notes: tuple[str, ...]  # warnings: unread parts of the query, or a foreign vector
    hits: tuple[Hit, ...]
    steered: Mapping[int, float] = field(default_factory=dict)  # feature -> factor by which documents were steered
    overview: Overview | None = None
    index: str = ""  # its name on a server


def search_answer(
    query: Query, hits: Sequence[Hit], overview: Overview | None, *, explain: bool, top: int | None
) -> SearchAnswer:
    """The answer; with `explain`, each hit has an explanation of `top` terms."""
    steered = dict(sorted(query.options.factors.items()))
    shortened = tuple(hit.with_explanation(top) if explain else hit for hit in hits)
    notes = (*query.read.notes("query"), *([query.doubt] if query.doubt else []))
    return SearchAnswer(query.text, query.read, notes, shortened, steered, overview)
