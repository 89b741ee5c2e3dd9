"""Ranking by features: as terms that a person names, and as an inverted index of codes.

    concept  sum over terms of weight * activation of the term's features in the document
    sparse   sum_j idf_j c_qj c_dj,   idf_j = ln(1 + (N - n_j + 1/2) / (n_j + 1/2))

The second takes a query's features for words: n_j of N documents have feature j, activations stand where term
frequencies would. The idf is Lucene's form of Robertson and Sparck Jones', which is never negative; concept-level
sparse retrieval uses the older form, in which a feature of most documents counts against them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ...arrays import Float32, Float64
from ...errors import InputError
from ...explain import Breakdown, Part
from ...features import Feature
from .dense import Ranked, best

if TYPE_CHECKING:
    from ..index import Index, Rows

TERM: Final = re.compile(r"""\s*(?:(AND|OR|NOT)\b|([+-]?)(?:\#(\d+)|"([^"]*)"|([^\s"^]+))(?:\^(\d+(?:\.\d+)?))?)""")
MOST: Final = 24  # features that one name may stand for
MOST_DIGITS: Final = 9  # of a feature's number
LARGEST_WEIGHT: Final = 1000.0


class Term(NamedTuple):
    """One named concept of a query."""

    words: str
    features: tuple[int, ...]
    weight: float
    must: bool  # only documents that have it
    must_not: bool  # only documents that do not


def parse(text: str, features: Sequence[Feature]) -> tuple[Term, ...]:
    """`"kidney disease"^2 +#614 -diet`, or with AND, OR, NOT between terms.

    A term is a feature by number (#614) or by words of its name: the feature of that very name, else all that have
    these words in theirs. + or AND: must have it; - or NOT: must not; ^2: counts twice.

    Raises:
        InputError: a term that names no feature, or nothing that a document could be found by.
    """
    terms: list[Term] = []
    at, joined, negated = 0, False, False
    while at < len(text.rstrip()):
        match = TERM.match(text, at)
        if match is None:
            raise InputError(
                f'concept query: cannot read {text[at : at + 20]!r}; write names, "quoted names" or #NUMBER'
            )
        at = match.end()
        operator, sign, number, quoted, bare, weight = match.groups()
        if operator:
            joined, negated = operator == "AND" or (joined and operator == "NOT"), operator == "NOT"
            if operator == "AND" and terms and not terms[-1].must_not:
                terms[-1] = terms[-1]._replace(must=True)
            continue
        if number and len(number) > MOST_DIGITS:
            raise InputError(f"concept query: there is no feature of {len(number):,} digits")
        words = f"#{number}" if number else (quoted if quoted is not None else bare)
        found = _resolve(words, int(number) if number else None, features)
        not_wanted = sign == "-" or negated
        if weight and float(weight) > LARGEST_WEIGHT:
            raise InputError(f"concept query: a term counts at most {LARGEST_WEIGHT:g} times")
        terms.append(Term(words, found, float(weight or 1), (sign == "+" or joined) and not not_wanted, not_wanted))
        joined = negated = False
    if all(term.must_not for term in terms):
        raise InputError("concept query: name at least one concept that documents must or should have")
    return tuple(terms)


def rank(index: Index, terms: Sequence[Term], k: int, among: Rows | None) -> Ranked:
    """Top k by weighted activations, of the documents that the query allows."""
    scores = np.zeros(index.manifest.rows)
    allowed = np.zeros(index.manifest.rows, bool)
    if among is None:
        allowed[:] = True
        allowed[index.deleted] = False
    else:
        allowed[among] = True
    for term in terms:
        has = np.zeros(index.manifest.rows, bool)
        for feature in term.features:
            rows, values = index.postings(feature)
            has[rows] = True
            if not term.must_not:
                scores[rows] += term.weight * values
        if term.must or term.must_not:
            allowed &= ~has if term.must_not else has
    rows = np.flatnonzero(allowed & (scores > 0))
    return best(rows, scores[rows], k)


def breakdowns(index: Index, terms: Sequence[Term], rows: Rows) -> list[Breakdown]:
    """Which terms, by which features, made each row's score."""
    codes = index.codes(rows, index.manifest.views[0])
    weights: dict[int, float] = {}
    for term in terms:
        for feature in term.features if not term.must_not else ():
            weights[feature] = weights.get(feature, 0.0) + term.weight
    out = []
    for place, row in enumerate(rows.tolist()):
        has = dict(zip(codes.features[place].tolist(), codes.values[place].tolist(), strict=True))
        parts = [
            _part(index, j, weight * has[j], {"activation": has[j], "weight": weight})
            for j, weight in weights.items()
            if has.get(j, 0) > 0
        ]
        out.append(_broken(index, row, "concept", parts, _spelled(terms)))
    return out


def idf(index: Index) -> Float64:
    """How rare each feature is in the index, [F]."""
    n = index.frequency
    return np.log1p((len(index) - n + 0.5) / (n + 0.5))


def sparse(index: Index, q: Float32, k: int, among: Rows | None) -> Ranked:
    """Top k by the product of codes, weighted by idf."""
    scores = np.zeros(index.manifest.rows)
    for feature, weight in _query_weights(index, q).items():
        rows, values = index.postings(feature)
        scores[rows] += weight * values
    if among is None:
        scores[index.deleted] = 0.0
        among = np.flatnonzero(scores > 0)
    else:
        among = among[scores[among] > 0]
    return best(among, scores[among], k)


def sparse_breakdowns(index: Index, q: Float32, rows: Rows) -> list[Breakdown]:
    """What each feature that query and document have adds."""
    codes = index.codes(rows, index.manifest.views[0])
    weights, rarity = _query_weights(index, q), idf(index)
    out = []
    for place, row in enumerate(rows.tolist()):
        parts = [
            _part(index, j, weights[j] * value, {"query": weights[j] / float(rarity[j]), "document": value})
            for j, value in zip(codes.features[place].tolist(), codes.values[place].tolist(), strict=True)
            if value > 0 and j in weights
        ]
        out.append(_broken(index, row, "sparse", parts, "share: idf × activation in the query × in the document"))
    return out


def _query_weights(index: Index, q: Float32) -> dict[int, float]:
    codes, rarity = index.explainer.sae.encode(q[None]), idf(index)
    pairs = zip(codes.features[0].tolist(), codes.values[0].tolist(), strict=True)
    return {feature: value * float(rarity[feature]) for feature, value in pairs if value > 0}


def _resolve(words: str, number: int | None, features: Sequence[Feature]) -> tuple[int, ...]:
    if number is not None:
        if number >= len(features):
            raise InputError(f"concept query: there is no feature {number}; there are {len(features)}, from 0 on")
        return (number,)
    wanted = words.casefold().split()
    if not wanted:
        raise InputError("concept query: a name is empty")
    names = [(feature.feature_id, (feature.label or "").casefold()) for feature in features]
    exact = tuple(identifier for identifier, name in names if name == " ".join(wanted))
    found = exact or tuple(j for j, name in names if set(wanted) <= set(re.findall(r"\w+(?:[-']\w+)*", name)))
    if not found:
        raise InputError(f"concept query: no feature has {words!r} in its name; `xetrieval features` lists the names")
    if len(found) > MOST:
        raise InputError(f"concept query: {len(found)} features have {words!r} in their names; name one more exactly")
    return found


def _spelled(terms: Sequence[Term]) -> str:
    said = [
        f"{'must not have ' if t.must_not else 'must have ' if t.must else ''}{t.words}"
        f" ({', '.join(f'#{j}' for j in t.features)})"
        for t in terms
    ]
    return "; ".join(said)


def _part(index: Index, feature: int, share: float, detail: dict[str, float]) -> Part:
    return Part("feature", index.explainer.features[feature].name, share, feature, detail)


def _broken(index: Index, row: int, mode: str, parts: list[Part], note: str) -> Breakdown:
    document = index.document(row)
    return Breakdown(
        score=sum(part.share for part in parts),
        mode=mode,
        parts=tuple(sorted(parts, key=lambda part: -part.share)),
        note=note,
        doc_id=document.id,
        document=document.text,
    )
