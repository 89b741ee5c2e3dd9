"""Cases: pairs of sentences, and pairs of documents with a second query, and what the encoder decides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.random import Generator

from ...data.judgments import Queries
from ...data.sentences import is_prose, split_sentences
from ...encoders import read_texts
from ...explain.words import with_words
from ...index import Index
from ...index.search.mode import SearchOptions
from ...index.search.ranking import Hit, search
from ...text import shorten
from ..names.draw import OWN, is_own
from .arms import ShownLine, shown_lines
from .question import ANSWERS, Answer, Line, Part

T = TypeVar("T")
BEST: Final = 3  # hits of a query whose sentences are taken out
RANKED: Final = 10  # hits of a query that are compared
LEAST_GAP: Final[dict[Part, float]] = {"sentence": 0.02, "ranking": 0.05}
READ: Final = 600  # characters of a second query


class Case(NamedTuple):
    """A question before it is put in one of the arms."""

    part: Part
    query: str  # id
    hits: tuple[Hit, ...]
    explanations: tuple[list[ShownLine], ...]  # of the hits
    texts: tuple[Line, ...]  # sentence: the two sentences; ranking: the second query
    right: Answer
    gap: float
    second: str = ""
    feature: int | None = None
    states: Literal["A", "B", ""] = ""


class Source:
    """Draws cases from an index and its queries."""

    def __init__(self, index: Index, queries: Queries, rng: Generator) -> None:
        self.index, self.queries, self.rng = index, queries, rng
        self.vectors = read_texts(index.explainer.encoder, queries.texts, "query").vectors
        codes = index.explainer.sae.encode(self.vectors)
        strongest = codes.features[np.arange(len(codes)), codes.values.argmax(axis=1)]
        self.queries_on: dict[int, list[int]] = {}
        for at in np.flatnonzero(codes.values.max(axis=1) > 0).tolist():
            self.queries_on.setdefault(int(strongest[at]), []).append(at)

    def sentences(self, at: int) -> Iterator[Case]:
        """Two sentences of each of the best documents of a query."""
        for hit in self._shuffled(self._hits(at, BEST)):
            document = self.index.document(hit.row)
            found = [one for one in split_sentences(document.text) if is_prose(one.text)]
            if document.read.unread or len({one.text for one in found}) < 2:
                continue
            two = self._shuffled(found)[:2]
            rests = [document.text[: one.start] + document.text[one.end :] for one in two]
            if two[0].text == two[1].text or not all(rest.strip() for rest in rests):
                continue
            without = read_texts(self.index.explainer.encoder, rests, "document").vectors @ self.vectors[at]
            gap = abs(float(without[0] - without[1]))
            lines = self._lines(at, hit)
            if gap >= LEAST_GAP["sentence"] and without.min() < hit.score and lines:
                right = ANSWERS[int(without.argmin())]
                texts = tuple(Line(" ".join(one.text.split())) for one in two)
                yield Case("sentence", self.queries.ids[at], (hit,), (lines,), texts, right, gap)

    def rankings(self, at: int) -> Iterator[Case]:
        """Pairs of the best documents of a query, each with a second query."""
        hits = self._hits(at, RANKED)
        shown = [{j for term in hit.explanation.trusted().terms for j in term.ids} for hit in hits]
        possible = [
            (i, other, feature, second)
            for i in range(len(hits))
            for other in range(len(hits))
            for feature in sorted(shown[i] - shown[other])
            for second in self.queries_on.get(feature, [])
            if self.queries.texts[second] != self.queries.texts[at]
        ]
        for i, other, feature, second in self._shuffled(possible):
            pair = self._shuffled([hits[i], hits[other]])
            own = any(is_own(hit, self.queries.ids[second]) for hit in pair)
            scores = self.index.vectors(np.array([hit.row for hit in pair])) @ self.vectors[second]
            gap = abs(float(scores[0] - scores[1]))
            if own or gap < LEAST_GAP["ranking"] or (pair[0].parent or pair[0].doc_id) == pair[1].parent:
                continue
            explanations = tuple(self._lines(at, hit) for hit in pair)
            states = [any(feature in line.ids for line in lines) for lines in explanations]
            if sum(states) == 1:
                yield Case(
                    "ranking",
                    self.queries.ids[at],
                    tuple(pair),
                    explanations,
                    (Line(shorten(self.queries.texts[second], READ)),),
                    ANSWERS[int(scores.argmax())],
                    gap,
                    self.queries.ids[second],
                    feature,
                    ANSWERS[states.index(True)],
                )

    def _hits(self, at: int, count: int) -> list[Hit]:
        """The best hits of a query, apart from its own document, that have a text."""
        found = search(self.index, self.queries.texts[at], count + OWN, SearchOptions()).hits
        return [hit for hit in found if not is_own(hit, self.queries.ids[at]) and hit.document.text.strip()][:count]

    def _lines(self, at: int, hit: Hit) -> list[ShownLine]:
        """The lines of an explanation, as `xetrieval index why` shows them."""
        z = self.index.vectors(np.array([hit.row]))[0]
        return shown_lines(with_words(self.index.explainer, hit.explanation, self.vectors[at], z))

    def _shuffled(self, values: list[T]) -> list[T]:
        return [values[i] for i in self.rng.permutation(len(values)).tolist()]
