"""Compares a score with those of unrelated pairs, which are documents of the index drawn at random.

    above_unrelated(s) = fraction of the pairs with <z_i, z_j> < s,   i and j from different documents

How large the cosine of two texts with nothing in common is depends on encoder and corpus, so a score alone says little.
Other ways to put it on a scale were measured as well (`paper/studies/answerable.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...arrays import Float32
from ...records import Brief
from ..store.reader import IndexReader
from .mode import Query, Ranked

SAMPLE: Final = 600  # documents, each with all others: 179,700 pairs
FEWEST: Final = 50  # documents; with fewer, scores are not compared
LOW: Final = 0.95  # a query whose best hit is not above this fraction of pairs is probably off topic


@dataclass(frozen=True)
class Unrelated(Brief):
    """The scores of unrelated pairs, ascending."""

    scores: Float32

    def below(self, score: float) -> float:
        """The fraction of unrelated pairs with a lower score."""
        return float(np.searchsorted(self.scores, np.float32(score))) / len(self.scores)

    def level(self, fraction: float) -> float:
        """The score that is higher than this fraction of unrelated pairs."""
        return float(np.quantile(self.scores, fraction))


def unrelated(index: IndexReader) -> Unrelated | None:
    """Unrelated pairs of an index, the same whenever it is opened; None if it has too few documents.

    They are drawn when first used, in a few hundredths of a second, so an index stores nothing for them.
    """
    return index.companion(_drawn)


def _drawn(index: IndexReader) -> Unrelated | None:
    order = np.random.default_rng(0).permutation(len(index.alive))[:SAMPLE]
    one_of = {index.whole_of(row): row for row in index.alive[order].tolist()}  # one chunk of each document
    if len(one_of) < FEWEST:
        return None
    z = index.vectors(np.array(sorted(one_of.values()), np.int64))
    return Unrelated(np.sort((z @ z.T)[np.triu_indices(len(z), 1)]))


def nothing_answers(index: IndexReader, query: Query, ranked: Ranked) -> str:
    """A sentence if even the best hit is too low, by `least` or compared with unrelated pairs; otherwise empty."""
    if not len(ranked.rows):
        return ""
    best, least = float(ranked.scores[0]), query.options.least
    if least is not None:
        return f"nothing here answers this: the best hit scores {best:.4f}, below {least:g}" if best < least else ""
    pairs = unrelated(index) if query.plain else None
    if pairs is None or pairs.below(best) > LOW:
        return ""
    return f"probably nothing here answers this: the best hit is only {in_words(pairs.below(best))}"


def in_words(fraction: float) -> str:
    """The fraction of unrelated pairs with a lower score, in words."""
    return f"higher than {percent(fraction)} of unrelated pairs"


def percent(fraction: float) -> str:
    """The fraction in percent, never rounded up: 0.99999 is 99.99%."""
    digits = 0 if fraction < 0.99 else 1 if fraction < 0.999 else 2
    part = min(np.floor(fraction * 100 * 10**digits + 1e-9) / 10**digits, 99.99)
    return f"{part:.{digits}f}%"
