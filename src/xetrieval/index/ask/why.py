"""Why a document stands at its rank: its score taken apart, against another document, and what would move it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Final

import numpy as np

from ...arrays import Float32
from ...errors import InputError, shortened
from ...explain import Breakdown, Contrast, Explanation, overlap, smallest_boost, smallest_erasure
from ...explain.contrast_of import contrast_vectors
from ...explain.counterfactual_of import counterfactual_vectors
from ...explain.counterfactual_search import LARGEST_FACTOR, MOST_ERASED
from ...explain.rank_change import RankChange
from ...options import check
from ...render.terminal import printable, shorten
from ..search.mode import Query
from ..search.nearest import shard_scores
from ..search.ranking import IN_PYTHON, explain_rows, rank
from .records import WhyRecord

if TYPE_CHECKING:
    from ..store.reader import IndexReader as Index
    from ..store.texts import StoredDocument

TOP: Final = 10  # documents


@dataclass(frozen=True)
class Why:
    """One document's place in the ranking of a query."""

    rank: int  # from 1; of equal scores the earlier row first
    documents: int  # that are ranked
    document: StoredDocument
    explanation: Explanation | Breakdown
    over: StoredDocument | None = None  # what it is compared with
    over_rank: int | None = None
    contrast: Contrast | None = None
    change: RankChange | None = None

    def __repr__(self) -> str:
        return f"Why({shortened(self.document.id, 60)!r}, rank {self.rank:,} of {self.documents:,})"

    def __str__(self) -> str:
        return "\n".join([*self._head(), "", str(self.explanation), *self._rest(str)])

    def _repr_html_(self) -> str:
        head = "".join(f"<p>{escape(line)}</p>" for line in self._head())
        rest = "".join(self._rest(lambda contrast: contrast._repr_html_(), lambda line: f"<p>{escape(line)}</p>"))
        return f"{head}{self.explanation._repr_html_()}{rest}"

    def _head(self) -> list[str]:
        lines = [f"{printable(self.document.id)}  rank {self.rank:,} of {self.documents:,}"]
        return [*lines, text] if (text := shorten(self.document.text)) else lines

    def _rest(self, shown: Callable[[Contrast], str], said: Callable[[str], str] = str) -> list[str]:
        """The comparison and what would change the rank, where they were asked for."""
        out = []
        if self.over is not None and self.contrast is not None:
            place = "" if self.over_rank is None else f", rank {self.over_rank:,}"
            out += [said(f"compared with {printable(self.over.id)}{place}"), shown(self.contrast)]
        if self.change is not None:
            out += [said(printable(sentence)) for sentence in self.change.sentences()]
        return out

    def to_dict(self, top: int | None = None) -> WhyRecord:
        """As JSON holds it."""
        record: WhyRecord = {
            "id": self.document.id,
            "rank": self.rank,
            "documents": self.documents,
            "title": self.document.title,
            "explanation": self.explanation.to_dict(top),
        }
        if self.over is not None and self.contrast is not None:
            record["over"] = {"id": self.over.id, "rank": self.over_rank, "title": self.over.title}
            record["contrast"] = self.contrast.to_dict(top)
        if self.change is not None:
            record["counterfactual"] = self.change.to_dict()
        return record


def why(
    index: Index,
    query: Query,
    doc_id: str,
    over: str | None = None,
    k: int | None = None,
    counterfactual: bool = False,
    evidence: int | None = None,
) -> Why:
    """Why a document stands where it does for a query.

    Args:
        over: the id of a document to compare it with. Without one, a document outside the top k is compared with the
            last of the top k: what it would have to beat.
        k: how many documents the top has; None: 10. Not together with `over`.
        counterfactual: also what would take it out of the top k, or into it; or swap the two, with `over`.
        evidence: also the words behind so many features, in both documents where two are compared.
    Raises:
        InputError: no such document; a comparison or a counterfactual of a ranking that is not the encoder's own.
    """
    ranking = {"steer": query.options.factors, "views": query.options.views}
    questions = {"over": over, "k": k, "counterfactual": counterfactual, "evidence": evidence is not None}
    check("why", ranking | questions, IN_PYTHON, query.options.by)
    row, k = index.row_of(doc_id), TOP if k is None else k
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise InputError("k must be a whole number, at least 1")
    if query.plain and query.vector is not None:
        place = rank_of(index, query.vector, row)
    else:
        ranked = rank(index, query, len(index)).rows
        found = np.flatnonzero(ranked == row)
        if not len(found):
            raise InputError(f"{doc_id!r} is not found by {query.options.by} for this query")
        place = int(found[0]) + 1
    explanation = explain_rows(index, query, np.array([row]))[0]
    compared = over is not None or (query.plain and place > k)
    if evidence is not None and not compared and isinstance(explanation, Explanation):
        explanation = index.explainer.with_evidence(explanation, evidence)
    out = Why(place, len(index), index.document(row), explanation)
    if not query.plain or query.vector is None:
        return out
    top = rank(index, query, min(k + 1, len(index)))
    rival = index.row_of(over) if over is not None else int(top.rows[k - 1]) if place > k else None
    if rival is not None:
        contrast = _contrast(index, query, row, rival, counterfactual and over is not None)
        if evidence is not None:
            contrast = index.explainer.with_evidence(contrast, evidence)
        out = replace(out, over=index.document(rival), over_rank=rank_of(index, query.vector, rival), contrast=contrast)
    if counterfactual and over is None:
        out = replace(out, change=rank_change(index, query.vector, row, place, k))
    return out


def rank_of(index: Index, q: Float32, row: int) -> int:
    """Rank by cosine among all documents; of equal scores the earlier row stands first."""
    scores = np.concatenate([shard_scores(index, shard, q) for shard in index.shards])
    return 1 + int((scores > scores[row]).sum()) + int((scores[:row] == scores[row]).sum())


def rank_change(index: Index, q: Float32, row: int, place: int, k: int) -> RankChange:
    """The fewest features to erase that take a document out of the top k, or the least boost that takes one in."""
    sae, names = index.explainer.sae, index.explainer.features
    rows = np.array([row])
    z, codes, query = index.vectors(rows)[0], index.all_codes(rows), sae.encode(q[None])
    top = rank(index, Query("", q), min(k + 1, len(index)))
    if place <= k:
        if len(top.rows) <= k:
            raise InputError(f"the index has no more than {k} documents: none can leave the top {k}; ask for fewer")
        edge = float(top.scores[k])
        shared = overlap(query, codes, sae.features)
        found = smallest_erasure(sae, q, z, shared.features, edge)
        erased = () if found is None else tuple((int(i), names[i].name) for i in found.features)
        return RankChange(
            place,
            k,
            edge,
            erased=erased,
            minimal=found is not None and found.minimal,
            most_erased=min(MOST_ERASED, len(shared.features)),
            score=None if found is None else found.score,
        )
    edge = float(top.scores[k - 1])
    own = overlap(query, codes[:1], sae.features)
    boost = smallest_boost(sae, q, z, own.features, own.view_activations[:, 0], edge)
    return RankChange(
        place,
        k,
        edge,
        boosted=tuple(own.features.tolist()),
        factor=None if boost is None else boost.factor,
        largest_factor=LARGEST_FACTOR,
        score=None if boost is None else boost.score,
    )


def _contrast(index: Index, query: Query, row: int, rival: int, counterfactual: bool) -> Contrast:
    assert query.vector is not None
    z = index.vectors(np.array([row, rival]))
    first, second = index.document(row), index.document(rival)
    return replace(
        contrast_vectors(index.explainer, query.vector, z),
        counterfactual=counterfactual_vectors(index.explainer, query.vector, z) if counterfactual else None,
        read_query=query.read,
        read_first=first.read,
        read_second=second.read,
        query=query.text,
        first=first.text,
        second=second.text,
    )
