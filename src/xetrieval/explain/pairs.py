"""Many explained pairs, stored as arrays; an Explanation is created only when one is accessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

from ..encoders import Counts
from ..errors import InputError
from ..features import LISTED_WORDS, Feature
from ..records import brief
from ..text import clip
from ..views import VIEWS, View
from .attribution import Attribution
from .explanation import LEAST_SHARE, Explanation, Term, join_twins
from .naming import named
from .reading import Reading
from .support import Overlap


class PairNames(NamedTuple):
    """Everything about the pairs except their vectors; each sequence is empty or has one entry per pair."""

    query_ids: Sequence[str] = ()
    doc_ids: Sequence[str] = ()
    read_queries: Counts | None = None
    read_documents: Counts | None = None
    queries: Sequence[str] = ()
    documents: Sequence[str] = ()

    def __repr__(self) -> str:
        return brief(self)


def check_names(names: PairNames | None, pairs: int) -> PairNames:
    """`names`, or empty ones if it is None.

    Raises:
        InputError: it is something else, or does not have one id for each pair.
    """
    if names is None:
        return PairNames()
    if not isinstance(names, PairNames):
        raise InputError(f"names is a {type(names).__name__}; give PairNames(query_ids, doc_ids)")
    for field in ("query_ids", "doc_ids"):
        if len(getattr(names, field)) not in (0, pairs):
            raise InputError(f"{field}: {len(getattr(names, field))} ids for {pairs} pairs; give one each, or none")
    return names


def reading(counts: Counts | None, place: int) -> Reading:
    """How many tokens an encoder read of one text, as far as it counted them."""
    if counts is None:
        return Reading()
    unread, unknown, tokens = (int(column[place]) for column in counts)
    return Reading(unread) if tokens < 0 else Reading(unread, unknown, tokens)


@dataclass(frozen=True)
class ExplainedPairs(Sequence[Explanation]):
    """n explanations, stored as the arrays in `overlap` and `attribution`."""

    overlap: Overlap
    attribution: Attribution
    features: tuple[Feature, ...]
    views: tuple[View, ...]
    explainer: str
    encoder: str
    names: PairNames
    label_holds: Sequence[bool | None]  # one per row of `overlap`

    def __repr__(self) -> str:
        return f"ExplainedPairs({len(self):,} explanations by {clip(self.explainer, 40)!r})"

    def __len__(self) -> int:
        return len(self.attribution.score)

    @overload
    def __getitem__(self, index: int) -> Explanation: ...
    @overload
    def __getitem__(self, index: slice) -> list[Explanation]: ...
    def __getitem__(self, index: int | slice) -> Explanation | list[Explanation]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"pair {index} of {len(self)}")
        return self._explanation(index % len(self))

    def _explanation(self, i: int) -> Explanation:
        rows = self.overlap.of(i)
        ids = self.overlap.features[rows]
        activations = self.overlap.view_activations[rows]
        columns = (ids, self.attribution.shares[rows], self.overlap.query_activation[rows], activations)
        absent: dict[View, float] = dict.fromkeys((*VIEWS, *self.views), 0.0)
        terms = [
            Term(
                "feature",
                j,
                self.features[j].label,
                share,
                query,
                absent | dict(zip(self.views, views, strict=True)),
                confidence=self.features[j].confidence,
                label_holds=holds,
                corpus_words=self.features[j].words[:LISTED_WORDS],
            )
            for j, share, query, views, holds in zip(
                *(column.tolist() for column in columns), self.label_holds[rows], strict=True
            )
        ]
        terms = join_twins(terms, self.attribution.twins[rows].tolist())
        per_view: dict[View, tuple[int, ...]] = dict.fromkeys((*VIEWS, *self.views), ())
        for column, view in enumerate(self.views):
            per_view[view] = tuple(ids[activations[:, column] > 0].tolist())
        names = self.names
        score, bias = float(self.attribution.score[i]), float(self.attribution.bias[i])
        terms = sorted(terms, key=lambda term: (-term.share, term.ids))
        if len(names.queries) and len(names.documents):
            terms = named(terms, self.features, (names.queries[i], names.documents[i]), LEAST_SHARE * abs(score - bias))
        return Explanation(
            score=score,
            bias=bias,
            remainder=float(self.attribution.remainder[i]),
            terms=tuple(terms),
            query_id=str(names.query_ids[i]) if len(names.query_ids) else "",
            doc_id=str(names.doc_ids[i]) if len(names.doc_ids) else "",
            query=names.queries[i] if len(names.queries) else "",
            document=names.documents[i] if len(names.documents) else "",
            explainer=self.explainer,
            encoder=self.encoder,
            read_query=reading(names.read_queries, i),
            read_document=reading(names.read_documents, i),
            per_view=per_view,
        )
