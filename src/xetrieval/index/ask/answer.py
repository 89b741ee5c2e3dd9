"""The answer to a search, the same for the command line, the API and Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...errors import InputError
from ...explain import Reading
from ...features import SteeredFeature
from ...records import Record
from ...text import clip
from ..search.ranking import Found, Hit
from .overview import Overview


@dataclass(frozen=True)
class SearchAnswer(Record):
    """Hits of a query, and the overview if requested."""

    query: str
    read: Reading  # how much of the query the encoder could read
    notes: tuple[str, ...]  # warnings: unread parts of the query, a foreign vector, low scores, dates not compared
    hits: tuple[Hit, ...]
    steered: tuple[SteeredFeature, ...] = ()
    overview: Overview | None = None
    index: str = ""  # its name on a server


def search_answer(found: Found, overview: Overview | None, *, explain: bool, top: int | None) -> SearchAnswer:
    """The answer; with `explain`, each hit has an explanation of `top` terms."""
    query = found.query
    shortened = tuple(hit.with_explanation(top) if explain else hit for hit in found.hits)
    notes = (*query.read.notes("query"), *filter(None, (query.doubt, query.unsteered, found.note)), *found.filter_notes)
    return SearchAnswer(query.text, query.read, notes, shortened, query.steered, overview)


def run_lines(query_id: str, hits: Sequence[Hit], k: int | None = None) -> Iterator[str]:
    """The hits of one query in a TREC run: a line for each of the best k documents, at the place of its best chunk.

    Raises:
        InputError: an id with a space, which separates the columns, or a control character.
    """
    documents: dict[str, float] = {}
    for hit in hits:
        documents.setdefault(hit.parent or hit.doc_id, hit.score)
    for rank, (name, score) in enumerate(list(documents.items())[:k], 1):
        for one in (query_id, name):
            check_run_id(one)
        yield f"{query_id} Q0 {name} {rank} {score:.9g} xetrieval"


def check_run_id(one: str) -> None:
    """Refuse an id of a query or document that does not fit in a TREC run."""
    if one.split() != [one]:
        raise InputError(f"id {one[:60]!r} has a space, which separates the columns of a TREC run")
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in one):
        raise InputError(f"id {clip(ascii(one), 60)} has a control character, which no TREC run can have")
