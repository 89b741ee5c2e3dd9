"""Selects examples from candidates, without duplicate texts or documents, spread over the activation range."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np

from ...configs import ExamplesConfig
from .base import Example, Side

SPARE: Final = 3  # candidates per example, because some repeat a text or a document


class Candidates(NamedTuple):
    """Rows of one feature on one side, best first; more than needed."""

    top: list[tuple[int, float]]  # row and activation
    sample: list[tuple[int, float]]  # a uniform sample of all active rows
    random: list[int]
    hard: list[int]


def select(candidates: Candidates, texts: Mapping[int, Example], config: ExamplesConfig) -> Side:
    """The strongest, some from the rest of the range, and silent texts of both kinds.

    Args:
        texts: the example of each row.
    """
    seen: set[str] = set()
    top = _new([texts[row] for row, _ in candidates.top], config.top, seen)
    spread = _new([texts[row] for row, _ in candidates.sample], len(candidates.sample), set(seen))
    spread.sort(key=lambda example: (-example.activation, example.id))
    if len(spread) > config.spread:
        spread = [spread[int(i)] for i in np.linspace(0, len(spread) - 1, config.spread).round()]
    _new(spread, len(spread), seen)
    hard = _new([texts[row] for row in candidates.hard], config.contrast, seen)  # first: fewer than random ones
    random = _new([texts[row] for row in candidates.random], config.contrast, seen)
    return Side(tuple(top), tuple(spread), tuple(random), tuple(hard))


def _new(examples: Iterable[Example], count: int, seen: set[str]) -> list[Example]:
    """The first `count` examples whose document and texts are not in `seen`; they are added to it."""
    chosen: list[Example] = []
    for example in examples:
        if len(chosen) == count:
            break
        keys = {f"document {example.document}", folded(example.passage), folded(example.text)}
        if not keys & seen:
            seen |= keys
            chosen.append(example)
    return chosen


def folded(text: str) -> str:
    """The letters of a text in lower case; texts with the same letters count as duplicates."""
    return re.sub(r"[\W\d_]+", " ", text).strip().casefold() or text
