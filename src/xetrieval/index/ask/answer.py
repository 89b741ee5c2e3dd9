"""The answer to a search, the same for the command line, the API and Python."""

from __future__ import annotations

from dataclasses import dataclass

from ...explain import Reading
from ...features import SteeredFeature
from ...records import Record
from ..search.ranking import Found, Hit
from .overview import Overview


@dataclass(frozen=True)
class SearchAnswer(Record):
    """Hits of a query, and the overview if requested."""

    query: str
    read: Reading  # how much of the query the encoder could read
    notes: tuple[str, ...]  # warnings: unread parts of the query, a foreign vector, or hits that are all too low
    hits: tuple[Hit, ...]
    steered: tuple[SteeredFeature, ...] = ()
    overview: Overview | None = None
    index: str = ""  # its name on a server


def search_answer(found: Found, overview: Overview | None, *, explain: bool, top: int | None) -> SearchAnswer:
    """The answer; with `explain`, each hit has an explanation of `top` terms."""
    query = found.query
    shortened = tuple(hit.with_explanation(top) if explain else hit for hit in found.hits)
    notes = (*query.read.notes("query"), *filter(None, (query.doubt, query.unsteered, found.note)))
    return SearchAnswer(query.text, query.read, notes, shortened, query.steered, overview)
