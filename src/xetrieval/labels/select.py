"""Candidates to examples: no text twice, no document twice, and spread over the activation range."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from .examples import Example, Texts


class Candidates(NamedTuple):
    """Rows of one feature on one side, best first; more than are wanted."""

    top: list[tuple[int, float]]  # row and activation
    sample: list[tuple[int, float]]  # of all active rows, uniformly
    random: list[int]
    hard: list[int]


def select(
    candidates: Candidates,
    texts: Mapping[tuple[int, int], Example],
    feature: int,
    top: int,
    spread: int,
    contrast: int,
) -> Texts:
    """The strongest `top`, `spread` over the rest, and `contrast` silent texts of either kind."""
    taken = _Taken()
    strongest = taken.first((texts[feature, row] for row, _ in candidates.top), top)
    rest = taken.clone().first((texts[feature, row] for row, _ in candidates.sample), len(candidates.sample))
    rest.sort(key=lambda example: (-example.activation, example.id))
    if len(rest) > spread:
        rest = [rest[int(place)] for place in np.linspace(0, len(rest) - 1, spread).round()]
    for example in rest:
        taken.add(example)
    hard = taken.first((texts[feature, row] for row in candidates.hard), contrast)  # the scarcer ones choose first
    random = taken.first((texts[feature, row] for row in candidates.random), contrast)
    return Texts(tuple(strongest), tuple(rest), tuple(random), tuple(hard))


class _Taken:
    """What stands in the lists already."""

    def __init__(self, known: set[str] | None = None) -> None:
        self.known = known or set()

    def clone(self) -> _Taken:
        return _Taken(set(self.known))

    def add(self, example: Example) -> bool:
        """True where it is new."""
        keys = {f"document {example.document}", folded(example.text), folded(example.shown)}
        if keys & self.known:
            return False
        self.known |= keys
        return True

    def first(self, examples: Iterable[Example], count: int) -> list[Example]:
        """The first `count` that are new."""
        chosen: list[Example] = []
        for example in examples:
            if len(chosen) == count:
                break
            if self.add(example):
                chosen.append(example)
        return chosen


def folded(text: str) -> str:
    """What counts as the same text: letters alone, in lower case."""
    return re.sub(r"[\W\d_]+", " ", text).strip().casefold() or text
