"""Ranking by features that the query names.

sum over terms of weight * activation of the term's features in the document
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from ...errors import InputError
from ...explain import Explanation
from ...features import Feature, check_feature_ids
from ..store.reader import IndexReader, Rows
from .mode import Query, Ranked, Ranking, best

TERM: Final = re.compile(r"""\s*(?:(AND|OR|NOT)\b|([+-]?)(?:\#(\d+)|"([^"]*)"|([^\s"^]+))(?:\^(\d+(?:\.\d+)?))?)""")
MOST: Final = 24  # features that one term may match
MOST_DIGITS: Final = 9  # longest feature number, in digits
LARGEST_WEIGHT: Final = 1000.0


class Concept(NamedTuple):
    """One named term of a query."""

    words: str
    features: tuple[int, ...]
    weight: float
    required: bool  # find only documents that have it
    excluded: bool  # find only documents that do not

    def __str__(self) -> str:
        rule = "must not have " if self.excluded else "must have " if self.required else ""
        return f"{rule}{self.words} ({', '.join(f'#{j}' for j in self.features)})"


class ByConcept(Ranking):
    """Ranking by weighted activations of the features that the query names."""

    def __init__(self, index: IndexReader, query: Query) -> None:
        super().__init__(index, query)
        self.concepts = parse(query.text, index.explainer.features)

    def rank(self, k: int, among: Rows | None) -> Ranked:
        """The best k rows that satisfy the query's conditions and have one of its features."""
        rows_of_index = self.index.manifest.rows
        scores, allowed = np.zeros(rows_of_index), np.zeros(rows_of_index, bool)
        allowed[self.index.alive if among is None else among] = True
        for concept in self.concepts:
            has = np.zeros(rows_of_index, bool)
            for feature in concept.features:
                rows, values = self.index.postings(feature)
                has[rows] = True
                if not concept.excluded:
                    scores[rows] += concept.weight * values
            if concept.required or concept.excluded:
                allowed &= ~has if concept.excluded else has
        rows = np.flatnonzero(allowed & (scores > 0))
        return best(rows, scores[rows], k)

    def split(self, rows: Rows) -> list[Explanation]:
        """Split each score by the query's features."""
        weights: dict[int, float] = {}
        for concept in self.concepts:
            for feature in concept.features if not concept.excluded else ():
                weights[feature] = weights.get(feature, 0.0) + concept.weight
        note = "; ".join(map(str, self.concepts))
        return self.by_feature(rows, weights, lambda j, value: {"activation": value, "weight": weights[j]}, note)


MODE = ByConcept


def parse(text: str, features: Sequence[Feature]) -> tuple[Concept, ...]:
    """`"kidney disease"^2 +#614 -diet`, or with AND, OR, NOT between terms.

    A term is a feature by number (#614) or by words of its label: the feature with exactly that label, or else all
    features whose label contains these words. + or AND: required; - or NOT: excluded; ^2: double weight.

    Raises:
        InputError: a term that matches no feature, or no term that could find a document.
    """
    concepts: list[Concept] = []
    position, joined, negated, pending = 0, False, False, ""  # pending: the operator before the next concept
    while position < len(text.rstrip()):
        match = TERM.match(text, position)
        if match is None:
            raise InputError(
                f'concept query: cannot read {text[position : position + 20]!r}; write labels, "quoted labels" or '
                "#NUMBER"
            )
        position = match.end()
        operator, sign, number, quoted, bare, weight = match.groups()
        if operator:
            if pending and (operator != "NOT" or pending == "NOT"):
                raise InputError(f"concept query: {pending} {operator}: write a concept between them")
            if not concepts and operator != "NOT":
                raise InputError(f"concept query: no concept before {operator}")
            pending = operator
            joined, negated = operator == "AND" or (joined and operator == "NOT"), operator == "NOT"
            if operator == "AND" and concepts and not concepts[-1].excluded:
                concepts[-1] = concepts[-1]._replace(required=True)
            continue
        if number and len(number) > MOST_DIGITS:
            raise InputError(f"concept query: no feature number has {len(number):,} digits")
        words = f"#{number}" if number else (quoted if quoted is not None else bare)
        matches = _resolve(words, int(number) if number else None, features)
        excluded = sign == "-" or negated
        if weight and float(weight) > LARGEST_WEIGHT:
            raise InputError(f"concept query: a weight is at most {LARGEST_WEIGHT:g}")
        required = (sign == "+" or joined) and not excluded
        concepts.append(Concept(words, matches, float(weight or 1), required, excluded))
        joined = negated = False
        pending = ""
    if pending:
        raise InputError(
            f'concept query: no concept after {pending}; put the word in quotes to look for it: "{pending}"'
        )
    if all(concept.excluded or not concept.weight for concept in concepts):
        raise InputError(
            "concept query: name at least one concept, with a weight above 0, that documents must or should have"
        )
    return tuple(concepts)


def _resolve(words: str, number: int | None, features: Sequence[Feature]) -> tuple[int, ...]:
    if number is not None:
        check_feature_ids([number], len(features))
        return (number,)
    wanted = words.casefold().split()
    if not wanted:
        raise InputError("concept query: a label is empty")
    labels = [(feature.feature_id, (feature.label or "").casefold()) for feature in features]
    exact = tuple(j for j, label in labels if label == " ".join(wanted))
    matches = exact or tuple(j for j, label in labels if set(wanted) <= set(re.findall(r"\w+(?:[-']\w+)*", label)))
    if not matches:
        raise InputError(f"concept query: no feature has {words!r} in its label; `xetrieval features` lists the labels")
    if len(matches) > MOST:
        raise InputError(f"concept query: {len(matches)} features have {words!r} in their labels; be more specific")
    return matches
