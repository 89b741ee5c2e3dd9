"""Checks that rankings are as expected, and explains what broke: a gate for continuous integration.

An expectation says that a document must be in the top k for a query, must not be, or must be explained to some degree.
A missing document is compared with the last hit of the top, an unwanted one with the first document below the top.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from ...configs.option import Checked, Range
from ...data.lines import BadLine, Line, each, read_json_lines
from ...encoders.texts import as_text
from ...errors import InputError
from ...explain import Contrast, Explanation
from ...files import path_of
from ...progress import Progress, silent
from ...records import Record, read_record
from ...registry import search_mode
from ...text import clip
from ..search.mode import Query, SearchOptions
from ..search.ranking import allowed, explain_with_words, prepare, rank
from ..store.reader import IndexReader as Index
from .why import contrast_rows


@dataclass(frozen=True)
class Expectation(Checked, Record):
    """What is expected of a document for a query; at least one of the three."""

    query: str
    doc_id: str  # of a document, or of one of its chunks
    in_top: Annotated[int | None, Range(1)] = None  # it must be one of this many best hits
    not_in_top: Annotated[int | None, Range(1)] = None  # it must not be one of this many best hits
    explained: Annotated[float | None, Range(0, 1, above=True)] = (
        None  # at least this fraction of its score is explained
    )
    by: str = "dense"  # a search mode
    filters: Any = ()  # conditions on metadata, as for search
    where: str = ""  # file and line, for messages

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("query", "doc_id", "where"):
            as_text(getattr(self, name), name)
        if self.in_top is self.not_in_top is self.explained is None:
            raise InputError("give in_top, not_in_top or explained")
        if self.in_top is not None and self.not_in_top is not None and self.in_top <= self.not_in_top:
            raise InputError("in_top must be larger than not_in_top")
        if self.explained is not None and self.by != "dense":
            raise InputError("explained is for dense search: other modes explain all of their scores")
        search_mode(self.by)


@dataclass(frozen=True)
class Outcome(Record):
    """Whether an expectation holds, and if not, what broke it."""

    expectation: Expectation
    rank: int | None  # of the document, or of its best chunk; None: the mode does not find it
    broken: tuple[str, ...] = ()  # a sentence for each condition that does not hold
    other: str = ""  # the document that took the place, or the one below the top
    contrast: Contrast | None = None  # with that document, in the encoder's own ranking
    explanation: Explanation | None = None  # of what ranks too high; of the document, if too little is explained

    def __str__(self) -> str:
        where = f"{self.expectation.where}: " if self.expectation.where else ""
        return f"{where}{clip(self.expectation.query, 80)!r}: {'; '.join(self.broken) or 'holds'}"


@dataclass(frozen=True)
class Outcomes(Record):
    """The outcomes of all expectations, in order. Prints what broke, with explanations."""

    outcomes: tuple[Outcome, ...]

    json_keys = ("expectations", "failed=failures", "outcomes")

    @property
    def expectations(self) -> int:
        """How many were checked."""
        return len(self.outcomes)

    @property
    def failures(self) -> int:
        """How many do not hold."""
        return sum(bool(one.broken) for one in self.outcomes)

    @property
    def passed(self) -> bool:
        """Whether all hold."""
        return not self.failures

    def __str__(self) -> str:
        from ...render.text import without_colour
        from .tables import checked_parts

        return without_colour(*checked_parts(self)).rstrip()


def read_expectations(path: str | Path) -> list[Expectation]:
    """The expectations of a file of JSON lines.

    Raises:
        InputError: a line that is not an expectation; says which, and why.
    """
    found = []
    for one in each(read_json_lines(path_of(path)), _expectation):
        if isinstance(one, BadLine):
            raise one
        found.append(one)
    return found


def _expectation(line: Line) -> Expectation:
    try:
        made = read_record(Expectation, line.record)
    except (TypeError, ValueError) as error:  # an InputError is a ValueError
        raise line.bad(str(error)) from error
    for field in ("query", "doc_id"):
        line.text(field)
    return replace(made, where=f"{line.path.name}, line {line.number}")


def check(index: Index, expectations: Iterable[Expectation], progress: Progress = silent) -> Outcomes:
    """Check every expectation; each query is encoded once.

    Raises:
        InputError: not a list of expectations, a document that is not in the index, or a filter that cannot be used.
    """
    if isinstance(expectations, Mapping | str | bytes) or not isinstance(expectations, Iterable):
        raise InputError(f"expectations: give a list of Expectation or a file, not a {type(expectations).__name__}")
    expectations = list(expectations)
    for place, one in enumerate(expectations, 1):
        if not isinstance(one, Expectation):
            raise InputError(f"expectation {place} is a {type(one).__name__}, not an Expectation")
    if not expectations:
        raise InputError("there is no expectation to check")
    wanted, prepared, out = expectations, dict[tuple[str, str], Query](), []
    for place, one in enumerate(wanted, 1):
        try:
            if (one.query, one.by) not in prepared:
                prepared[one.query, one.by] = prepare(index, one.query, SearchOptions(one.by))
            out.append(_outcome(index, prepared[one.query, one.by], one))
        except InputError as error:
            raise InputError(f"{one.where}: {error}" if one.where else str(error)) from error
        progress("check", place, len(wanted), "")
    return Outcomes(tuple(out))


def _outcome(index: Index, query: Query, wanted: Expectation) -> Outcome:
    rows, top, not_top = np.array(index.rows_of(wanted.doc_id), np.int64), wanted.in_top, wanted.not_in_top
    if not len(rows):
        raise InputError(index.absent(wanted.doc_id))
    among = allowed(index, wanted.filters)
    ranked = rank(index, query, 1 + max(top or 0, not_top or 0), among).rows
    if not np.isin(ranked, rows).any():  # it is further down, where an approximate engine does not look
        exact = query.options.exact or "exact" in search_mode(query.options.by).accepts
        everywhere = replace(query, options=replace(query.options, exact=exact))
        ranked = rank(index, everywhere, len(index), among).rows
    places = np.flatnonzero(np.isin(ranked, rows))
    place = int(places[0]) if len(places) else None
    row = int(rows[0]) if place is None else int(ranked[place])
    out = Outcome(wanted, None if place is None else place + 1)
    if top is not None and (place is None or place >= top):
        reason = "it is not found" if place is None else f"its rank is {place + 1:,}"
        last = int(ranked[min(top, len(ranked)) - 1]) if len(ranked) else None
        found = _because(index, query, None if place is None else row, last, last)
        out = replace(out, broken=(f"{wanted.doc_id} is not in the top {top}: {reason}",), **found)
    elif not_top is not None and place is not None and place < not_top:
        below = int(ranked[not_top]) if len(ranked) > not_top else None
        found = _because(index, query, row, below, row)
        out = replace(out, broken=(f"{wanted.doc_id} is in the top {not_top}: its rank is {place + 1:,}",), **found)
    return out if wanted.explained is None else _explained(index, query, out, row)


def _because(index: Index, query: Query, row: int | None, other: int | None, high: int | None) -> dict[str, Any]:
    """The other document, and the contrast with it; if there is none, the explanation of what ranks too high."""
    found: dict[str, Any] = {} if other is None else {"other": index.document(other).id}
    if query.plain and row is not None and other is not None:
        made = contrast_rows(index, query, row, other).trusted()
        made = replace(made, first=made.first.without_texts(), second=made.second.without_texts())
        return {**found, "contrast": made}
    return found if high is None else {**found, "explanation": _explanation(index, query, high)}


def _explained(index: Index, query: Query, out: Outcome, row: int) -> Outcome:
    made, least = _explanation(index, query, row), out.expectation.explained
    assert least is not None
    if made.explained is not None and made.explained >= least:
        return out
    reason = "its score is too close to zero" if made.explained is None else f"{made.explained:.0%} is"
    broken = f"less than {least:.0%} of the score of {out.expectation.doc_id} is explained: {reason}"
    return replace(out, broken=(*out.broken, broken), explanation=made)


def _explanation(index: Index, query: Query, row: int) -> Explanation:
    return explain_with_words(index, query, np.array([row]))[0].trusted().without_texts()
