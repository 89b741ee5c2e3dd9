"""A query to ranked documents, each of which can say why it stands where it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ...arrays import Float32
from ...errors import InputError, shortened
from ...explain import Explanation, Reading
from ...explain.breakdown import Breakdown
from ...explain.pairs import PairNames
from ...explain.reading import NOT_COUNTED
from ...options import WORDS, check
from ...render.terminal import printable
from ...steer import SteeringProfile, steered_vectors
from ...views import View
from ..ask.records import HitRecord
from ..store.texts import Stored
from . import concepts, lexical
from .dense import Ranked, dense, steered, steered_codes, with_views
from .faiss import approximate, has_faiss
from .weighted import weighted_breakdown

if TYPE_CHECKING:
    from ..index import Index, Rows
    from ..store.filters import Filters

MODES: Final = ("dense", "concept", "sparse", "bm25", "hybrid")
LONGEST_QUERY: Final = 200_000  # characters
LARGEST_WEIGHT: Final = 100.0  # of a view
IN_PYTHON: Final = {"views": "weights", "vector": "a query vector", "words": "a search by words"}
SNIPPET: Final = 240
TOGETHER: Final = 16  # hits explained at once


@dataclass(frozen=True)
class Query:
    """What was asked, and how documents are ranked for it."""

    text: str
    vector: Float32 | None  # [m]; None where the mode needs none
    by: str = "dense"
    read: Reading = NOT_COUNTED  # how much of it the encoder could read
    steer: SteeringProfile | None = None
    weights: Mapping[View, float] = field(default_factory=dict)
    concepts: tuple[concepts.Term, ...] = ()
    lexical_share: float = 0.5  # of the hybrid score
    exact: bool = False  # dense: by a scan of all vectors even where a faiss index is there

    def __repr__(self) -> str:
        return f"Query({shortened(self.text, 80)!r}, by {self.by})"

    @property
    def plain(self) -> bool:
        """Whether it ranks by the encoder's own score."""
        return self.by == "dense" and not self.weights and not (self.steer and self.steer.factors)


class _Together:
    """A few neighbouring hits, explained at once when the first of them is looked at: they share most of the work."""

    def __init__(self, index: Index, query: Query, rows: Rows) -> None:
        self.index, self.query, self.rows = index, query, rows

    @cached_property
    def _made(self) -> dict[int, Explanation | Breakdown]:
        return dict(zip(self.rows.tolist(), explain_rows(self.index, self.query, self.rows), strict=True))

    def explanation(self, row: int) -> Explanation | Breakdown:
        return self._made[row]


@dataclass(frozen=True, eq=False)
class Hit:
    """One document found. `explanation` is made when it is looked at."""

    rank: int
    row: int
    score: float
    index: Index = field(repr=False)
    query: Query = field(repr=False)
    together: _Together = field(repr=False)

    def __repr__(self) -> str:
        return f"Hit({self.rank}, {shortened(self.id, 60)!r}, score={self.score:+.4f})"

    def __str__(self) -> str:
        title = self.document.title
        named = f"{printable(self.id)}  {printable(title)}" if title and title != self.id else printable(self.id)
        return f"{self.rank:>3}. {self.score:.4f}  {named}\n     {printable(self.snippet)}"

    def _repr_html_(self) -> str:
        head = f"<b>{self.rank}.</b> {self.score:.4f} <code>{escape(printable(self.id))}</code>"
        title = f" {escape(printable(self.document.title))}" if self.document.title else ""
        return f"<div>{head}{title}<br><small>{escape(printable(self.snippet))}</small></div>"

    @cached_property
    def document(self) -> Stored:
        """What the index stores of it."""
        return self.index.document(self.row)

    @property
    def id(self) -> str:
        """Its id."""
        return self.document.id

    @property
    def snippet(self) -> str:
        """The beginning of its text, on one line."""
        text = " ".join(self.document.text.removeprefix(self.document.title).split())
        return text if len(text) <= SNIPPET else text[: SNIPPET - 1].rstrip() + "…"

    @cached_property
    def explanation(self) -> Explanation | Breakdown:
        """Why it has this score; the parts add up to it, whatever the mode."""
        return self.together.explanation(self.row)

    def to_dict(self, explain: bool = False, top: int | None = None) -> HitRecord:
        """As JSON holds it."""
        stored = self.document
        record: HitRecord = {
            "rank": self.rank,
            "id": stored.id,
            "score": self.score,
            "title": stored.title,
            "snippet": self.snippet,
            "metadata": stored.metadata,
            "unknown_tokens": stored.read.unknown,
            "read_tokens": stored.read.tokens,
        }
        if stored.parent is not None:
            record["parent"], record["start"], record["end"] = stored.parent, stored.start, stored.end
        if explain:
            record["explanation"] = self.explanation.to_dict(top)
        return record


def prepare(
    index: Index,
    query: str | Any,
    by: str = "dense",
    steer: SteeringProfile | None = None,
    weights: Mapping[View, float] | None = None,
    lexical_share: float = 0.5,
    exact: bool = False,
) -> Query:
    """Check what was asked, encode what is to be encoded.

    Raises:
        InputError: an empty or endless query, an unknown mode, options that do not go together.
    """
    if by not in MODES:
        raise InputError(f"search by {by!r}: choose one of {', '.join(MODES)}")
    text = query if isinstance(query, str) else ""
    if isinstance(query, str) and not query.strip():
        raise InputError("the query is empty; give it some text")
    if len(text) > LONGEST_QUERY:
        raise InputError(f"the query has {len(text):,} characters; give at most {LONGEST_QUERY:,}")
    given = {"by": by != "dense", "steer": steer, "views": weights, "exact": exact}
    check(
        "search", {**given, "words": by in WORDS, "vector": not isinstance(query, str)}, IN_PYTHON | {"by": f"by {by}"}
    )
    for view, weight in (weights or {}).items():
        if not abs(weight) <= LARGEST_WEIGHT:  # NaN is not, either
            most = f"{LARGEST_WEIGHT:g}"
            raise InputError(f"view {view!r}: {weight:g} is no weight; give a number from -{most} to {most}")
    if not 0 <= lexical_share <= 1:
        raise InputError("the lexical share of a hybrid score lies between 0 and 1")
    index.check_profile(steer)
    terms = concepts.parse(text, index.explainer.features) if by == "concept" else ()
    vector, read = (None, NOT_COUNTED) if by in ("concept", "bm25") else index.query_vector(query)
    return Query(text, vector, by, read, steer, dict(weights or {}), terms, lexical_share, exact)


def rank(index: Index, query: Query, k: int, filters: Filters | None = None) -> Ranked:
    """The best k rows of a query.

    Raises:
        InputError: fewer than one document asked for, a filter on an unknown field.
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise InputError("search: ask for at least one document; k is a whole number")
    among = None
    if filters:
        among = np.setdiff1d(index.matching(filters), index.deleted, assume_unique=True)
    q = query.vector
    if query.by == "bm25":
        return lexical.bm25(index, query.text, k, among)
    if query.by == "concept":
        return concepts.rank(index, query.concepts, k, among)
    assert q is not None
    if query.by == "sparse":
        return concepts.sparse(index, q, k, among)
    if query.by == "hybrid":
        return lexical.hybrid(index, query.text, q, k, among, query.lexical_share)
    if query.weights:
        return with_views(index, q, k, among, query.weights)
    if query.steer is not None:
        return steered(index, q, k, among, query.steer)
    if among is None and not query.exact and has_faiss(index):
        return approximate(index, q, k)
    return dense(index, q, k, among)


def hits(index: Index, query: Query, ranked: Ranked) -> list[Hit]:
    """The ranking as documents."""
    groups = [
        _Together(index, query, ranked.rows[start : start + TOGETHER]) for start in range(0, len(ranked.rows), TOGETHER)
    ]
    pairs = zip(ranked.rows.tolist(), ranked.scores.tolist(), strict=True)
    return [
        Hit(place + 1, row, score, index, query, groups[place // TOGETHER]) for place, (row, score) in enumerate(pairs)
    ]


def explain_rows(index: Index, query: Query, rows: Rows) -> list[Explanation] | list[Breakdown]:
    """Why each of these rows has its score for this query, from what is stored."""
    if query.by == "bm25":
        return lexical.breakdowns(index, query.text, rows)
    if query.by == "concept":
        return concepts.breakdowns(index, query.concepts, rows)
    q = query.vector
    assert q is not None
    if query.by == "sparse":
        return concepts.sparse_breakdowns(index, q, rows)
    if query.weights:
        return [weighted_breakdown(index, q, int(row), query.weights) for row in rows]
    explained = _dense_explanations(index, query, q, rows)
    if query.by == "hybrid":
        return lexical.hybrid_breakdowns(index, query.text, explained, rows, query.lexical_share)
    return explained


def _dense_explanations(index: Index, query: Query, q: Float32, rows: Rows) -> list[Explanation]:
    explainer, sae = index.explainer, index.explainer.sae
    z, views = index.vectors(rows), index.all_codes(rows)
    factors = {} if query.steer is None else query.steer.factors
    if factors:
        z = np.asarray(steered_vectors(sae, z, views[0], factors), np.float32)
        views = [steered_codes(views[0], factors), *views[1:]]
    stored = [index.document(int(row)) for row in rows]
    repeated = np.repeat(q[None], len(rows), axis=0)
    codes = sae.encode(q[None]).rows(np.zeros(len(rows), np.int64))
    names = PairNames(
        doc_ids=[document.id for document in stored],
        queries=[query.text] * len(rows),
        documents=[document.text for document in stored],
    )
    pairs = explainer.explain_codes(repeated, z, codes, views, names)
    made = [
        replace(pair, read_query=query.read, read_document=document.read)
        for pair, document in zip(pairs, stored, strict=True)
    ]
    return [replace(one, steered=tuple(sorted(factors.items()))) for one in made] if factors else made
