"""Ranks documents for a query; each hit can explain its score."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from numbers import Real
from typing import Any, Final, NamedTuple

import numpy as np

from ...encoders import Role
from ...errors import ForeignVectorsWarning, InputError
from ...explain import Explainer, Explanation, Reading, Term
from ...explain.foreign import unlike
from ...explain.matching import Carrier
from ...explain.reading import NOT_COUNTED
from ...explain.word_states import query_words
from ...explain.words import beside, carriers, with_words
from ...extras import require
from ...features import SteeredFeature
from ...options import check, check_flag
from ...records import Record
from ...registry import search_mode
from ...steer import SteeringProfile
from ...text import clip, printable
from ...views import View
from ..store.filters import Filters, parse_filters
from ..store.reader import IndexReader, Rows
from ..store.texts import StoredDocument
from .mode import Query, Ranked, SearchOptions, mode_class
from .unrelated import nothing_answers, unrelated

KnownWords = Mapping[int, tuple[str, ...]]  # words of each feature
LONGEST_QUERY: Final = 200_000  # characters
LARGEST_WEIGHT: Final = 100.0  # the largest weight of a view
IN_PYTHON: Final = {"vector": "a query vector"}
SNIPPET: Final = 240  # characters
TOGETHER: Final = 16  # hits explained at once


class _Together:
    """A few neighbouring hits, explained together when the first is needed, because they share most of the work."""

    def __init__(self, index: IndexReader, query: Query, rows: Rows) -> None:
        self.index, self.query, self.rows = index, query, rows

    @cached_property
    def _made(self) -> dict[int, Explanation]:
        return dict(zip(self.rows.tolist(), explain_with_words(self.index, self.query, self.rows), strict=True))

    def explanation(self, row: int) -> Explanation:
        """One row's explanation; if the score is the encoder's own, with the words of the query that carry it."""
        made, query = self._made[row], self.query
        if not query.plain or query.vector is None:
            return made
        z = self.index.vectors(np.array([row]))[0]
        return with_words(self.index.explainer, made, query.vector, z, ("query",))


@dataclass(frozen=True, eq=False)
class Hit(Record):
    """A document in a ranking. Its explanation is computed when first used."""

    rank: int
    row: int
    score: float
    index: IndexReader = field(repr=False)
    query: Query = field(repr=False)
    together: _Together = field(repr=False)
    written: Explanation | None = field(default=None, repr=False)  # the explanation in JSON; see `with_explanation`

    json_keys = (
        *("rank", "doc_id", "score", "above_unrelated?", "title", "snippet", "metadata", "read"),
        *("parent?", "start?", "end?", "notes?", "explanation?=written"),
    )

    def __repr__(self) -> str:
        return f"Hit({self.rank}, {clip(self.doc_id, 60)!r}, score={self.score:+.4f})"

    def __str__(self) -> str:
        title = self.title
        named = (
            f"{printable(self.doc_id)}  {printable(title)}"
            if title and title != self.doc_id
            else printable(self.doc_id)
        )
        return f"{self.rank:>3}. {self.score:.4f}  {named}\n     {printable(self.snippet)}"

    def _repr_html_(self) -> str:
        head = f"<b>{self.rank}.</b> {self.score:.4f} <code>{escape(printable(self.doc_id))}</code>"
        title = f" {escape(printable(self.title))}" if self.title else ""
        return f"<div>{head}{title}<br><small>{escape(printable(self.snippet))}</small></div>"

    @cached_property
    def document(self) -> StoredDocument:
        """The document as it is stored."""
        return self.index.document(self.row)

    @property
    def doc_id(self) -> str:
        """The document's id."""
        return self.document.id

    @property
    def above_unrelated(self) -> float | None:
        """The fraction of unrelated pairs of documents with a lower score; None unless the score is the encoder's own.

        Also None if the index has fewer than 50 documents.
        """
        pairs = unrelated(self.index) if self.query.plain else None
        return None if pairs is None else round(pairs.below(self.score), 5)

    @property
    def title(self) -> str:
        """Its title; empty if it has none."""
        return self.document.title

    @property
    def metadata(self) -> dict[str, Any]:
        """Its metadata."""
        return self.document.metadata

    @property
    def read(self) -> Reading:
        """How much of it the encoder could read."""
        return self.document.read

    @property
    def notes(self) -> tuple[str, ...]:
        """A note if the encoder knows hardly any of its tokens."""
        return tuple(self.read.notes("document")) if self.read.unreadable else ()

    @property
    def parent(self) -> str | None:
        """The document that it is a chunk of."""
        return self.document.parent

    @property
    def start(self) -> int | None:
        """Where the chunk starts in its parent."""
        return self.document.start

    @property
    def end(self) -> int | None:
        """Where the chunk ends."""
        return self.document.end

    @property
    def snippet(self) -> str:
        """The beginning of its text, on one line."""
        text = " ".join(self.document.text.removeprefix(self.document.title).split())
        return text if len(text) <= SNIPPET else text[: SNIPPET - 1].rstrip() + "…"

    @cached_property
    def explanation(self) -> Explanation:
        """Why it has this score. In every mode, the parts add up to the score."""
        return self.together.explanation(self.row)

    def with_explanation(self, top: int | None = None) -> Hit:
        """This hit with its explanation in JSON: `top` terms, without the texts."""
        return replace(self, written=self.explanation.top(top).without_texts())


class Found(NamedTuple):
    """The hits of a query, the prepared query, a sentence if nothing seems to answer it, and some on filters."""

    hits: list[Hit]
    query: Query
    note: str
    filter_notes: Sequence[str] = ()


def search(
    index: IndexReader, query: str | object, k: int, options: SearchOptions, filters: Filters | None = None
) -> Found:
    """The best k documents.

    Raises:
        InputError: an empty query, an unknown mode or field, or options that cannot be combined.
    """
    check_k(k)  # before the query is encoded
    among = allowed(index, filters)
    prepared = prepare(index, query, options)
    ranked = rank(index, prepared, k, among)
    high = ranked.scores >= (-math.inf if options.least is None else options.least)
    return Found(
        hits(index, prepared, Ranked(ranked.rows[high], ranked.scores[high])),
        prepared,
        nothing_answers(index, prepared, ranked),
        () if filters is None else index.not_compared(filters),
    )


def allowed(index: IndexReader, filters: Filters | None) -> Rows | None:
    """The rows that meet the filters and are not deleted; None: no filters.

    Raises:
        InputError: a filter that cannot be used.
    """
    if filters is None or not parse_filters(filters):
        return None
    return np.setdiff1d(index.matching(filters), index.deleted, assume_unique=True)


def prepare(index: IndexReader, query: str | object, options: SearchOptions | None = None) -> Query:
    """Check a query and its options, and encode it if its mode needs a vector.

    Raises:
        InputError: an empty or overlong query, an unknown mode, or options that cannot be combined. MismatchError: a
        steering profile for a different autoencoder.
    """
    options = options or SearchOptions()
    mode = search_mode(options.by)
    text = query if isinstance(query, str) else ""
    if isinstance(query, str) and not query.strip():
        raise InputError("the query is empty; give it some text")
    if len(text) > LONGEST_QUERY:
        raise InputError(f"the query has {len(text):,} characters; give at most {LONGEST_QUERY:,}")
    combined = {"steer": options.steer, "views": options.views, "exact": options.exact}
    check("search", {**combined, "vector": not isinstance(query, str)}, IN_PYTHON, options.by)
    options = replace(options, views=_checked_weights(options.views))
    least = options.least
    if least is not None and (isinstance(least, bool) or not isinstance(least, Real) or not math.isfinite(least)):
        raise InputError("least must be a number, the lowest score of a hit")
    check_flag(options.exact, "exact")
    if options.steer is not None:
        if not isinstance(options.steer, SteeringProfile):
            raise InputError(f"steer must be a SteeringProfile, not a {type(options.steer).__name__}")
        options.steer.check(index.explainer.sae)
    if mode.package:
        require(mode.package, "index")
    vector, read = index.query_vector(query) if "vector" in mode.needs else (None, NOT_COUNTED)
    doubt, unsteered = None, ""
    steered: tuple[SteeredFeature, ...] = ()
    if vector is not None and not isinstance(query, str):
        doubt = unlike(index.explainer, vector[None], "query vector")
    if vector is not None and options.steer is not None:
        if options.steer.scope.has(vector):
            steered = options.steer.named(index.explainer.features)
        else:
            unsteered = f"not steered: the profile is for {options.steer.scope}"
            options = replace(options, steer=None)
    return Query(text, vector, options, read, doubt or "", unsteered, steered)


def warn_foreign(query: Query) -> Query:
    """The query, with a ForeignVectorsWarning if its vector is probably not from the index's encoder."""
    if query.doubt:
        warnings.warn(query.doubt, ForeignVectorsWarning, stacklevel=3)
    return query


def _checked_weights(views: Mapping[View, float]) -> dict[View, float]:
    """The weights as Python floats, since NumPy scalars would keep their own precision in sums."""
    if not isinstance(views, Mapping):
        raise InputError(f"views: give {{view: weight}}, not a {type(views).__name__}")
    checked = {}
    for view, weight in views.items():
        number = weight.item() if isinstance(weight, np.generic) else weight
        if isinstance(number, bool) or not isinstance(number, int | float) or not abs(number) <= LARGEST_WEIGHT:
            most = f"{LARGEST_WEIGHT:g}"
            raise InputError(f"view {view!r}: weight {weight!r:.40} is not a number from -{most} to {most}")
        checked[view] = float(number)
    return checked


def check_k(k: object, name: str = "k") -> None:
    """Refuse a count that is not a whole number of at least 1."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise InputError(f"{name} must be a whole number, at least 1")


def rank(index: IndexReader, query: Query, k: int, among: Rows | None = None) -> Ranked:
    """The best k rows of a query. `among` restricts them to some rows, ascending and not deleted.

    Raises:
        InputError: k is not a whole number of at least 1.
    """
    check_k(k)
    return mode_class(query.options.by).of(index, query).rank(k, among)


def explain_rows(index: IndexReader, query: Query, rows: Rows) -> Sequence[Explanation]:
    """Split the score of each row, using only what the index stores; adds the ids and texts of both sides."""
    split = mode_class(query.options.by).of(index, query).split(rows)
    return [with_texts(one, query, index.document(row)) for one, row in zip(split, rows.tolist(), strict=True)]


def explain_with_words(index: IndexReader, query: Query, rows: Rows) -> list[Explanation]:
    """`explain_rows` with the words of both texts that carry the features' activations. No document is encoded.

    Those of the document are stored in the index. For words of the query that carry a score, see `with_words`.
    """
    own: dict[int, tuple[str, ...]] = {}
    if query.vector is not None and not query.plain:
        own = query_words(index.explainer.encoder, index.explainer.sae, query.text, query.vector)
    explained = explain_rows(index, query, rows)
    return [
        _beside(index.explainer, one, own, index.words_of(row))
        for one, row in zip(explained, rows.tolist(), strict=True)
    ]


def _beside(explainer: Explainer, explanation: Explanation, query: KnownWords, document: KnownWords) -> Explanation:
    sides: tuple[tuple[Role, KnownWords], ...] = (("query", query), ("document", document))
    of_activation = tuple(role for role, known in sides if known)
    if not of_activation:
        return explanation
    words = [(_words_of(term, query), _words_of(term, document)) for term in explanation.terms]
    return beside(explainer, explanation, words, [of_activation] * len(words))


def _words_of(term: Term, known: KnownWords) -> list[Carrier]:
    return carriers(next((known[j] for j in term.ids if j in known), ()))


def with_texts(explanation: Explanation, query: Query, document: StoredDocument) -> Explanation:
    """The explanation with the ids and texts of both sides, and how much of each was read."""
    return replace(
        explanation,
        query=query.text,
        read_query=query.read,
        doc_id=document.id,
        document=document.text,
        read_document=document.read,
    )


def hits(index: IndexReader, query: Query, ranked: Ranked) -> list[Hit]:
    """The ranking as documents."""
    groups = [
        _Together(index, query, ranked.rows[start : start + TOGETHER]) for start in range(0, len(ranked.rows), TOGETHER)
    ]
    pairs = zip(ranked.rows.tolist(), ranked.scores.tolist(), strict=True)
    return [
        Hit(position + 1, row, score, index, query, groups[position // TOGETHER])
        for position, (row, score) in enumerate(pairs)
    ]
