"""Matches the words of two texts that carry a share."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import numpy as np

from ..arrays import Float64
from ..terms import same_family, stem
from .naming import LEAST_BEGINNING

MOST: Final = 3  # words of one text beside a term
LEAST: Final = 1 / 3  # fraction of the strongest word's part; words with less are left out
LEAST_COMPARED: Final = 1 / 4  # fraction of the strongest word's part
ALIKE: Final = 0.55  # two words with at least this cosine are shown together
AGAIN: Final = 0.5  # weight of a pair of words that another line already shows


class Carrier(NamedTuple):
    """One word that carries a share."""

    key: str
    shown: str
    part: float  # fraction of the strongest word's part
    vector: Float64 | None  # the word in its text, as a unit vector [m]; None: not known


def matching(
    query: Sequence[Carrier], document: Sequence[Carrier], seen: set[tuple[str, str]], name: Collection[str] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Words of two texts that carry a share and match: the best-matching pair first, then words similar to it.

    If it is not known which words match, returns the strongest words of each text.

    Args:
        seen: pairs that come first in other lines, which get half weight; the pair of this line is added.
        name: stems of the line's name. If words of both texts have one, or else of one text, they come
            first; in the latter case, after words that both texts have.
    """
    alike = np.array([[_alike(a, b) for b in document] for a in query])
    if not alike.any():
        return alone(query), alone(document)
    pairs = [[(a.key, b.key) for b in document] for a in query]
    value = np.sqrt(np.outer([word.part for word in query], [word.part for word in document]))
    value *= np.maximum(alike, 1e-3) * [[AGAIN if pair in seen else 1.0 for pair in row] for row in pairs]
    of_query, of_document = (
        np.array([any(same_family(stem(word.key), part) for part in name) for word in side])
        for side in (query, document)
    )
    both, either = of_query[:, None] & of_document, of_query[:, None] | of_document
    in_name = both if both.any() else either
    i, j = map(int, np.unravel_index(np.where(in_name == in_name.any(), value, -1).argmax(), value.shape))
    seen.add(pairs[i][j])
    words = _with_like(query, i, alike[:, j], value[:, j]), _with_like(document, j, alike[i], value[i])
    return _shared_first(*words) if either.any() and not both.any() else words


def _shared_first(query: Sequence[str], document: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words of two texts, those that both have before the others: fish before vitamin, if the query has fish."""
    sides = ((query, document), (document, query))
    one, other = (sorted(a, key=lambda word: not any(one_word(word, own) for own in b)) for a, b in sides)
    return tuple(one), tuple(other)


def _with_like(words: Sequence[Carrier], first: int, alike: Float64, value: Float64) -> tuple[str, ...]:
    """The first word, and those of the same text that are similar to the first word of the other text."""
    others = [i for i in np.argsort(-value, kind="stable").tolist() if i != first and alike[i] >= ALIKE]
    return _distinct([words[i] for i in [first, *others]])


def matching_pairs(query: Sequence[Carrier], document: Sequence[Carrier]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The best-matching pairs of words that carry a sum of shares, each word once; see `matching`."""
    alike = np.array([[_alike(a, b) for b in document] for a in query])
    if not alike.any():
        return alone(query), alone(document)
    value = np.sqrt(np.outer([word.part for word in query], [word.part for word in document])) * alike
    found: list[tuple[Carrier, Carrier]] = []
    while len(found) < MOST and value.max() > 0:
        i, j = map(int, np.unravel_index(value.argmax(), value.shape))
        if found and (value[i, j] < LEAST_COMPARED or alike[i, j] < ALIKE):
            break
        found.append((query[i], document[j]))
        value[i], value[:, j] = 0, 0
    return _distinct([a for a, _ in found]), _distinct([b for _, b in found])


def alone(words: Sequence[Carrier]) -> tuple[str, ...]:
    """The strongest words of a text, without regard to the other text."""
    return _distinct([word for word in words if word.part >= LEAST])


def _distinct(words: Sequence[Carrier]) -> tuple[str, ...]:
    """The first words, only one form of each: measurement, not also measuring and measure."""
    forms: dict[str, str] = {}
    for word in words:
        forms.setdefault(root(word.key), word.shown)
    return tuple(forms.values())[:MOST]


def _alike(a: Carrier, b: Carrier) -> float:
    """1 for two forms of one word; else the cosine of the two words in their texts, 0 if not known."""
    if root(a.key) == root(b.key):
        return 1.0
    return 0.0 if a.vector is None or b.vector is None else float(a.vector @ b.vector)


def one_word(first: str, second: str) -> bool:
    """Whether two words have the same root, or one begins with the other or is a part of it: memory, shared_memory."""
    if root(first) == root(second):
        return True
    short, long = sorted((first, second), key=len)
    parts = (long, *re.split("[-_]", long))
    return len(root(short)) >= LEAST_BEGINNING and any(root(part).startswith(root(short)) for part in parts)


def root(key: str) -> str:
    """The stem that the forms of a word have in common: measurement, measuring and measure become measur."""
    return re.sub("i$", "y", stem(key).removesuffix("e"))  # copied, copy
