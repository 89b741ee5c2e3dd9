"""Why one document scores above another: both scores split over the same features.

With S the union of O(q,d1) and O(q,d2),

    s(q,d1) - s(q,d2) = sum_{j in S} (share_1j - share_2j) + remainder_1 - remainder_2

The bias depends only on the query and cancels. Over the same S, shares can be compared; they differ from those in each
document's own explanation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ..arrays import Float32
from ..sae import SparseCodes
from ..sae.projection import FeatureSets
from ..text import clip
from .attribution import attribute
from .counterfactual import Swap
from .explanation import (
    DEFAULT_TOP,
    Explanation,
    OtherTerms,
    Term,
    large_share_notes,
    largest,
    small_share_notes,
    strong_positions,
    twin_notes,
    weak_label,
)
from .holding import labels_hold
from .pairs import ExplainedPairs, PairNames
from .printing import PrintsItself
from .support import Overlap, overlap

if TYPE_CHECKING:
    from .explainer import Explainer

UNION_NOTE: Final = (
    "shares are over the union of both documents' shared features, so they differ from each document's own explanation"
)


@dataclass(frozen=True, repr=False)
class Contrast(PrintsItself):
    """Two explanations whose terms are the same features in the same order, by |difference|. Prints itself."""

    first: Explanation
    second: Explanation
    counterfactual: Swap | None = None  # what would swap the documents, if requested

    json_also = ("difference", "weak_features", "notes")

    @classmethod
    def of(cls, first: Explanation, second: Explanation, counterfactual: Swap | None = None) -> Contrast:
        """A contrast in which each feature has one name: that of the larger share, else that of the other."""
        one, other = zip(*map(_with_one_name, first.terms, second.terms), strict=True) if first.terms else ((), ())
        return cls(replace(first, terms=one), replace(second, terms=other), counterfactual)

    def __repr__(self) -> str:
        query = f", query={clip(self.first.query, 40)!r}" if self.first.query else ""
        return f"Contrast(difference={self.difference:+.4f}, {len(self.first.terms)} terms{query})"

    @property
    def difference(self) -> float:
        """Score of the first document minus that of the second."""
        return self.first.score - self.second.score

    @property
    def remainder(self) -> float:
        """The part of the difference that no shared feature accounts for."""
        return self.first.remainder - self.second.remainder

    @property
    def pairs(self) -> tuple[tuple[Term, Term], ...]:
        """The term of each feature in both scores."""
        return tuple(zip(self.first.terms, self.second.terms, strict=True))

    @property
    def weak_features(self) -> tuple[int, ...]:
        """Features that are weak in both documents, measured by the larger |score - bias|."""
        strong = self._strong()
        ids = (term.feature_id for i, term in enumerate(self.first.terms) if i not in strong)
        return tuple(j for j in ids if j is not None)

    @property
    def _whole(self) -> float:
        """The magnitude that `weak_features` compares shares with."""
        return max(abs(side.score - side.bias) for side in (self.first, self.second))

    def _strong(self) -> list[int]:
        """Positions of the features with a line of their own."""
        first, second, whole = self.first, self.second, self._whole
        weak = [first.is_weak(a, whole) and second.is_weak(b, whole) for a, b in self.pairs]
        return strong_positions(weak, [a.share - b.share for a, b in self.pairs])

    @property
    def other_terms(self) -> OtherTerms | None:
        """The terms that `top` left out; its share is their part of the difference."""
        first, second = self.first.other_terms, self.second.other_terms
        if first is None or second is None:
            return None
        return replace(first, share=first.share - second.share)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the reader, one sentence each."""
        both = (self.first, self.second)
        return (
            UNION_NOTE,
            *(self.counterfactual.sentences if self.counterfactual is not None else ()),
            *self.first.read_query.notes("query"),
            *self.first.read_document.notes("first document"),
            *self.second.read_document.notes("second document"),
            *twin_notes(self.first.terms),
            *dict.fromkeys(note for side in both for note in large_share_notes(side)),
            *small_share_notes([side.is_small(t, self._whole) for side in both for t in side.terms]),
        )

    def top(self, count: int | None) -> Contrast:
        """The same contrast with its `count` terms of largest |difference|; the others are added up in `other_terms`.

        Raises:
            InputError: a count that is negative or not a whole number.
        """
        if count is None:
            return self
        kept = largest([a.share - b.share for a, b in self.pairs], count)
        return Contrast(self.first.only(kept), self.second.only(kept), self.counterfactual)

    def trusted(self) -> Contrast:
        """The same contrast without the features that are weak in both documents, at most 8 terms."""
        first, second = self.first, self.second
        strong = self._strong()
        differences = [first.terms[i].share - second.terms[i].share for i in strong]
        kept = [strong[i] for i in largest(differences, DEFAULT_TOP)]
        if len(kept) == len(first.terms):
            return self
        label = weak_label(first, strong, kept)
        return Contrast(first.only(kept, label), second.only(kept, label), self.counterfactual)


def _with_one_name(first: Term, second: Term) -> tuple[Term, Term]:
    named = [term for term in sorted((first, second), key=lambda term: -abs(term.share)) if term.shown_label]
    if not named:
        return first, second
    holds, name = named[0].label_holds, named[0].name_here
    return (replace(first, label_holds=holds, name_here=name), replace(second, label_holds=holds, name_here=name))


def contrast_vectors(explainer: Explainer, q: Float32, z: Float32, texts: Sequence[str] = ()) -> Contrast:
    """Compare the documents z[0] and z[1] (unit rows [2, m]) for the query q [m]; `texts` are all three, if known."""
    sae = explainer.sae
    query = sae.encode(q[None])
    twice = SparseCodes(np.repeat(query.features, 2, axis=0), np.repeat(query.values, 2, axis=0))
    shared = overlap(twice, explainer.codes(z), sae.features)
    union = np.unique(shared.features)
    parts = attribute(np.stack([q, q]), z, sae.directions, sae.decoder_bias, FeatureSets.of([union, union]))
    activations = np.zeros((2, len(union), len(explainer.views)), np.float32)
    query_activation = np.zeros(len(union), np.float32)
    for document in range(2):
        rows = shared.of(document)
        positions = np.searchsorted(union, shared.features[rows])
        activations[document, positions] = shared.view_activations[rows]
        query_activation[positions] = shared.query_activation[rows]
    starts = np.array([0, len(union), 2 * len(union)])
    over_union = Overlap(
        starts, np.tile(union, 2), np.tile(query_activation, 2), activations.reshape(-1, len(explainer.views))
    )
    encoder = explainer.encoder_identity.name
    names = PairNames(queries=[texts[0]] * 2, documents=texts[1:]) if texts else PairNames()
    label_holds = labels_hold(explainer, over_union, np.stack([q, q]), z, names.queries, names.documents)
    sides = ExplainedPairs(
        over_union, parts, explainer.features, explainer.views, explainer.name, encoder, names, label_holds
    )[:]
    first, second = ({term.ids: term for term in side.terms} for side in sides)
    order = sorted(first, key=lambda ids: (-abs(first[ids].share - second[ids].share), ids))
    one, other = (
        replace(side, terms=tuple(terms[ids] for ids in order))
        for side, terms in zip(sides, (first, second), strict=True)
    )
    return Contrast.of(one, other)
