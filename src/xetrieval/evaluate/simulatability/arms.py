"""What a question shows instead of an explanation, and what it is compared with."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from numpy.random import Generator

from ...explain import Explanation
from ...labels.keyphrases import candidates
from ...text import WORD, fold
from .question import Line, Lines

LONGER: Final = 0.15  # a phrase's score grows by this fraction with each word after the first


class ShownLine(NamedTuple):
    """A line of an explanation as readers see it."""

    ids: tuple[int, ...]
    name: str  # "" if no name holds for these texts
    words: tuple[str, ...]  # of both texts, those that carry the share
    share: float

    @property
    def text(self) -> str:
        """Name and words."""
        return ": ".join(part for part in (self.name, ", ".join(self.words)) if part)


def shown_lines(explanation: Explanation) -> list[ShownLine]:
    """The lines that an explanation shows by default and that have a name or a word, the largest share first."""
    lines = []
    for term in explanation.trusted().terms:
        words = () if term.words is None else (*term.words.document, *term.words.query)
        distinct = tuple({fold(word): word for word in reversed(words)}.values())[::-1]
        name = term.shown_label or ", ".join(term.corpus_words)
        if name or distinct:
            lines.append(ShownLine(term.ids, name, distinct, term.share))
    return lines


def strangers(
    explanations: Iterable[Sequence[ShownLine]], pool: Sequence[ShownLine], rng: Generator
) -> dict[tuple[int, ...], ShownLine]:
    """For each feature of the explanations, a line of another feature that none of them has, each at most once."""
    lines = [line for lines in explanations for line in lines]
    taken, names = {j for line in lines for j in line.ids}, {line.name.casefold() for line in lines if line.name}
    found: dict[tuple[int, ...], ShownLine] = {}
    order = (pool[i] for i in rng.permutation(len(pool)))
    for ids in dict.fromkeys(line.ids for line in lines):
        for other in order:
            if taken.isdisjoint(other.ids) and other.name.casefold() not in names:
                found[ids] = other
                taken.update(other.ids)
                break
    return found


def in_arm(
    arm: str,
    lines: Sequence[ShownLine],
    others: Mapping[tuple[int, ...], ShownLine],
    phrases: Callable[[], Lines],
) -> Lines:
    """What an arm shows.

    true: the explanation, with shares. shuffled: the same shares, with the names and words of `others`. phrases: key
    phrases of the document, as many as the explanation has lines. words: the words of the explanation, each once, as a
    page would highlight them. nothing: nothing.
    """
    if arm == "true":
        return tuple(Line(line.text, round(line.share, 2)) for line in lines)
    if arm == "shuffled":
        return tuple(Line(others[line.ids].text, round(line.share, 2)) for line in lines if line.ids in others)
    if arm == "phrases":
        return phrases()
    words = {fold(word): word for line in lines for word in line.words} if arm == "words" else {}
    return (Line(", ".join(words.values())),) if words else ()


class Phrases:
    """Key phrases of a document, which need no explanation: frequent in it, rare in the corpus.

    Args:
        texts: a sample of the corpus.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.documents, self.size = Counter[str](), 0
        for text in texts:
            self.documents.update(set(candidates(text)))
            self.size += 1

    def of(self, text: str, count: int) -> Lines:
        """At most `count` phrases without a word in common, the best first."""
        inside = f" {' '.join(fold(word) for word in WORD.findall(text))} "

        def score(phrase: str) -> float:
            rare = math.log((self.size + 1) / (self.documents[phrase] + 1))
            return (
                max(1, len(re.findall(f"(?<= ){re.escape(phrase)}(?= )", inside)))
                * rare
                * (1 + LONGER * phrase.count(" "))
            )

        found, chosen = candidates(text), list[str]()
        for phrase in sorted(found, key=lambda one: (-score(one), one)):
            if len(chosen) < count and not set(phrase.split()) & {word for one in chosen for word in one.split()}:
                chosen.append(phrase)
        return tuple(Line(found[phrase]) for phrase in chosen)
