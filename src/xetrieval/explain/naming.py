"""Chooses what each feature is called in one explanation.

Besides a label, a feature has words of its corpus (`Feature.words`), the strongest first. Both are fixed when the index
is built, so a name is never made for a pair: of the feature's own names, an explanation shows the first that both texts
contain and that is among the words that carry the share, if these are known. If there is none, it shows the label if it
holds, without terms that neither text contains; else the first name that is among the words of one text that carry the
share. A label that a person or a language model wrote is replaced only where it does not hold.

Lines have different names as far as possible: features whose labels both texts contain keep them, then the largest
share chooses first.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from ..features import FROM_USES, LISTED_WORDS, Feature
from ..terms import contains, contains_term, label_terms, same_family, stem

if TYPE_CHECKING:
    from .explanation import Term

Stems = Collection[str]
NameIn = Literal["both", "query", "document", "neither"]
LEAST_BEGINNING: Final = 4  # characters of a term that a longer word may begin with: plural, pluralisation


class _Choice(NamedTuple):
    """The names that one feature may have."""

    names: list[str]  # in both texts, and among the words that carry the share, if these are known
    label: str | None  # what remains of the label, if it holds
    is_carried: bool  # whether that is among the words that carry the share
    of_one_text: list[str]  # names among the words of one text that carry the share


def named(
    terms: Sequence[Term],
    features: Sequence[Feature],
    texts: tuple[str, str],
    least: float,
    carried: Sequence[tuple[Stems, Stems]] = (),
) -> list[Term]:
    """The terms, in their order, with the best name of each and the texts that contain it.

    Args:
        texts: the query and the document.
        least: features with a smaller share have no line, so they take no name from others.
        carried: for each term, the stems of the words of either text that carry its share; none: not known.
    """
    known = carried or [((), ())] * len(terms)
    choices = [
        _choice(term, None if term.feature_id is None else features[term.feature_id], texts, words)
        for term, words in zip(terms, known, strict=True)
    ]
    taken: set[str] = set()
    for term, choice in zip(terms, choices, strict=True):
        if term.label in choice.names[:1] and abs(term.share) >= least:
            taken.update(label_terms(choice.names[0]))
    out = []
    for term, choice in zip(terms, choices, strict=True):
        name = choice.names[0] if term.label in choice.names[:1] else _free(choice, taken)
        if name:
            taken.update(label_terms(name))
        is_label = name == term.label and term.label_holds is not False
        own = term.feature_id is not None and (not is_label or features[term.feature_id].source == FROM_USES)
        name_in = _in(name, texts) if name and own else None
        out.append(replace(term, name_here=None if is_label else name, name_in=name_in))
    return out


def _in(name: str, texts: tuple[str, str]) -> NameIn | None:
    """The texts that contain one of a name's terms; "both" also if they share a word of it; None: one is not known."""
    if not all(texts):
        return None
    if any(_begins(texts[0], word) and _begins(texts[1], word) for word in name_stems(name)):
        return "both"
    in_query, in_document = (
        contains_term(text, name) or any(_begins(text, term) for term in label_terms(name)) for text in texts
    )
    if in_query and in_document:
        return "both"
    return "query" if in_query else "document" if in_document else "neither"


def _begins(text: str, term: str) -> bool:
    """Whether any word of a text begins with a term: pluralisation begins with plural, T cells with T-cell."""
    letters = term.replace(" ", "")
    return len(letters) >= LEAST_BEGINNING and bool(
        re.search(r"\b" + "[-_ ]?".join(map(re.escape, letters)), text, re.IGNORECASE)
    )


def _free(choice: _Choice, taken: Stems) -> str | None:
    """The first name that no other line uses; else the label; else a name that another line uses or one text has."""
    free, of_one_text = (
        [name for name in names if not any(part in taken for part in label_terms(name))]
        for names in (choice.names, choice.of_one_text)
    )
    label = [choice.label] if choice.label else []
    order = [*free, *label, *choice.names] if choice.is_carried else [*free, *choice.names, *label]
    return next(iter([*order, *of_one_text]), None)


def _choice(term: Term, feature: Feature | None, texts: tuple[str, str], carried: tuple[Stems, Stems]) -> _Choice:
    holds = term.label is not None and term.label_holds is not False
    if feature is None or (term.label and holds and feature.source != FROM_USES):
        return _Choice([], term.label, is_carried=True, of_one_text=[])
    own = [term.label] if term.label and feature.source == FROM_USES else []
    names = [
        name
        for name in dict.fromkeys([*own, *feature.words])
        if all(contains(text, part) for part in label_terms(name) for text in texts) and _carries(name, carried)
    ]
    of_one_text = [
        name
        for name in dict.fromkeys(
            [*(part for label in own for part in label.split(", ")), *feature.words[:LISTED_WORDS]]
        )
        for text, side in zip(texts, carried, strict=True)
        if side and contains(text, label_terms(name)[0]) and _carries(name, (side, ()))
    ]
    label = None
    if term.label and holds:
        parts = term.label.split(", ")
        found = [part for part in parts if any(contains(text, key) for key in label_terms(part) for text in texts)]
        label = ", ".join(found or parts)
    known = [side for side in carried if side]  # a side whose words are not known says nothing about the label
    is_carried = label is not None and (not known or any(_carries(label, (side, ())) for side in known))
    return _Choice(names, label, is_carried, of_one_text)


def _carries(name: str, carried: tuple[Stems, Stems]) -> bool:
    """Whether words of a name are among those that carry the share, in each text whose words are known."""
    return all(not side or any(same_family(a, b) for a in name_stems(name) for b in side) for side in carried)


def name_stems(name: str) -> set[str]:
    """The stems of the words of a name."""
    return {stem(word.strip("“”,")) for word in name.split()}
