"""Explains a document's rank: the parts of its score, a comparison with another document, and what would change it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ...arrays import Float32
from ...errors import InputError
from ...explain import Contrast, Explanation, RankChange
from ...explain.contrast import contrast_vectors
from ...explain.counterfactual import least_boost, least_erasure, swap_vectors
from ...explain.words import with_words
from ...options import check, check_flag
from ...records import Record
from ...text import clip, printable, shorten
from ..search.mode import Query
from ..search.nearest import shard_scores
from ..search.ranking import IN_PYTHON, check_k, explain_with_words, rank, with_texts

if TYPE_CHECKING:
    from ..store.reader import IndexReader as Index

TOP: Final = 10  # documents


@dataclass(frozen=True)
class Other(Record):
    """The document compared with."""

    doc_id: str
    rank: int  # counted from 1; ties are ordered by row
    title: str


@dataclass(frozen=True)
class Why(Record):
    """One document's place in the ranking of a query."""

    doc_id: str
    rank: int
    documents: int  # number of documents ranked
    title: str
    explanation: Explanation
    over: Other | None = None  # what it is compared with
    contrast: Contrast | None = None
    counterfactual: RankChange | None = None

    def __repr__(self) -> str:
        return f"Why({clip(self.doc_id, 60)!r}, rank {self.rank:,} of {self.documents:,})"

    def __str__(self) -> str:
        parts = [*self.head, "", str(self.explanation)]
        if self.over is not None and self.contrast is not None:
            parts += [self._compared, str(self.contrast)]
        return "\n".join([*parts, *self.notes])

    def _repr_html_(self) -> str:
        from ...render.html import paragraphs

        html = paragraphs(self.head) + self.explanation._repr_html_()
        if self.over is not None and self.contrast is not None:
            html += paragraphs([self._compared]) + self.contrast._repr_html_()
        return html + paragraphs(self.notes)

    @property
    def head(self) -> list[str]:
        """The document, its rank, and the beginning of its text."""
        line = f"{printable(self.doc_id)}  rank {self.rank:,} of {self.documents:,}"
        return [line, text] if (text := shorten(self.explanation.document.removeprefix(self.doc_id))) else [line]

    @property
    def notes(self) -> list[str]:
        """What would change the rank, in words."""
        return [] if self.counterfactual is None else [printable(line) for line in self.counterfactual.sentences]

    @property
    def _compared(self) -> str:
        assert self.over is not None
        return f"compared with {printable(self.over.doc_id)}, rank {self.over.rank:,}"

    def top(self, count: int | None) -> Why:
        """The same answer with the `count` largest terms of its explanation and its contrast."""
        contrast = None if self.contrast is None else self.contrast.top(count)
        return replace(self, explanation=self.explanation.top(count), contrast=contrast)


def why(
    index: Index,
    query: Query,
    doc_id: str,
    over: str | None = None,
    k: int | None = None,
    *,
    counterfactual: bool = False,
    evidence: int | None = None,
) -> Why:
    """Why a document has its rank for a query.

    Args:
        over: the id of a document to compare it with. Without one, a document outside the top k is compared with the
        last of the top k, which it would have to beat.
        k: the size of the top; None: 10. Not together with `over`.
        counterfactual: also what would take it out of the top k or into it; with `over`, what would swap the two.
        evidence: also the words behind this many terms, in both documents if two are compared.
    Raises:
        InputError: no such document, or a comparison or counterfactual for a ranking that is not the encoder's own.
    """
    check_flag(counterfactual, "counterfactual")
    ranking = {"steer": query.options.factors, "views": query.options.views}
    questions = {"over": over, "k": k, "counterfactual": counterfactual, "evidence": evidence is not None}
    check("why", ranking | questions, IN_PYTHON, query.options.by)
    row, k = index.row_of(doc_id), TOP if k is None else k
    check_k(k)
    scores = np.empty(0, np.float32)
    if query.plain and query.vector is not None:
        scores = all_scores(index, query.vector)
        place = rank_in(scores, row)
    else:
        found = np.flatnonzero(rank(index, query, len(index)).rows == row)
        if not len(found):
            raise InputError(f"{doc_id!r} is not found by {query.options.by} for this query")
        place = int(found[0]) + 1
    explanation = replace(explain_with_words(index, query, np.array([row]))[0], rank=place)
    if query.vector is not None:
        explanation = with_words(index.explainer, explanation, query.vector, index.vectors(np.array([row]))[0])
    compared = over is not None or (query.plain and place > k)
    if evidence is not None and not compared:
        explanation = index.explainer.with_evidence(explanation, evidence)
    out = Why(doc_id, place, len(index), index.document(row).title, explanation)
    if not query.plain or query.vector is None:
        return out
    other = index.row_of(over) if over is not None else None
    if other is None and place > k:
        other = int(rank(index, query, min(k + 1, len(index))).rows[k - 1])
    if other is not None:
        contrast = contrast_rows(index, query, row, other, counterfactual=counterfactual and over is not None)
        if evidence is not None:
            contrast = index.explainer.with_evidence(contrast, evidence)
        against = index.document(other)
        out = replace(out, over=Other(against.id, rank_in(scores, other), against.title), contrast=contrast)
    if counterfactual and over is None:
        out = replace(out, counterfactual=rank_change(index, query.vector, row, place, k))
    return out


def all_scores(index: Index, q: Float32) -> Float32:
    """The cosine of every row with q; -inf where the document was deleted."""
    return np.concatenate([shard_scores(index, shard, q) for shard in index.shards])


def rank_in(scores: Float32, row: int) -> int:
    """The rank of a row by these scores; ties are ordered by row."""
    return 1 + int((scores > scores[row]).sum()) + int((scores[:row] == scores[row]).sum())


def rank_change(index: Index, q: Float32, row: int, place: int, k: int) -> RankChange:
    """The fewest features to erase that take a document out of the top k, or the least boost that takes it in."""
    sae, rows = index.explainer.sae, np.array([row])
    pair, codes = (q, index.vectors(rows)[0]), index.all_codes(rows)
    top = rank(index, Query("", q), min(k + 1, len(index)))
    if place > k:
        cutoff = float(top.scores[k - 1])
        return RankChange(place, k, cutoff, boost=least_boost(sae, pair, codes[0], cutoff))
    if len(top.rows) <= k:
        raise InputError(f"the index has no more than {k} documents: none can leave the top {k}; give a smaller k")
    cutoff = float(top.scores[k])
    erased, most = least_erasure(sae, index.explainer.features, pair, codes, cutoff)
    return RankChange(place, k, cutoff, erase=erased, most_erased=most)


def contrast_rows(index: Index, query: Query, row: int, other: int, *, counterfactual: bool = False) -> Contrast:
    """Why a row scores above another for the encoder's own ranking of a query, or below it.

    Raises:
        InputError: the two are the same document.
    """
    assert query.vector is not None
    if row == other:
        raise InputError(f"{index.document(row).id!r} would be compared with itself; give another document")
    z = index.vectors(np.array([row, other]))
    one, two = index.document(row), index.document(other)
    made = contrast_vectors(index.explainer, query.vector, z, [query.text, one.text, two.text])
    first, second = with_texts(made.first, query, one), with_texts(made.second, query, two)
    first, second = (
        with_words(index.explainer, side, query.vector, vector) for side, vector in zip((first, second), z, strict=True)
    )
    return Contrast.of(first, second, swap_vectors(index.explainer, query.vector, z) if counterfactual else None)
