"""The texts that a feature is named from and the texts that its name is judged on; never the same ones.

Documents are dealt into two sides by a hash of their ids. The SHOWN side is for labellers, the JUDGED side for scores,
so that no label is judged on a text that it was made from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..sae import SparseCodes
from .best import Best


class Example(NamedTuple):
    """One text and how strongly a feature is active on it."""

    id: str  # of a document, or DOCUMENT#PLACE of a sentence
    document: str
    text: str
    activation: float  # 0 where it is a contrast
    sentence: str | None = None  # of a whole document: the sentence that carries the activation
    foil: str | None = None  # another sentence of the same document, on which the feature is silent

    @property
    def shown(self) -> str:
        """What a reader or a judge sees of it."""
        return self.sentence or self.text


class Texts(NamedTuple):
    """One side of a feature's examples."""

    top: tuple[Example, ...]  # the strongest, in falling order
    spread: tuple[Example, ...]  # over the rest of the activation range, in falling order
    random: tuple[Example, ...]  # on which the feature is silent
    hard: tuple[Example, ...]  # silent too, and nearest to the texts on which it is active

    @property
    def active(self) -> tuple[Example, ...]:
        """Strongest first."""
        return (*self.top, *self.spread)


@dataclass(frozen=True)
class FeatureExamples:
    """What a corpus says of one feature."""

    feature_id: int
    documents: int  # with a passage on which it is active
    frequency: float  # share of passages on which it is active
    activations: tuple[float, ...]  # a sample, in falling order
    shown: Texts
    judged: Texts
    coactive: tuple[tuple[int, float], ...]  # other features, and Jaccard's index of the passages they are active on


class TopExamples(NamedTuple):
    """Per feature the rows of its largest activations, in falling order; -1 and 0 where it has fewer."""

    rows: NDArray[np.int64]  # [F, count]
    activations: Float32  # [F, count]
    frequency: NDArray[np.int64]  # [F], rows on which the feature is active at all

    def of(self, feature: int) -> NDArray[np.int64]:
        """The rows of one feature."""
        rows = self.rows[feature]
        return np.asarray(rows[rows >= 0])


def top_examples(codes: SparseCodes, features: int, count: int = 20, block: int = 65536) -> TopExamples:
    """Top `count` rows per feature. Equal activations keep the earlier row, so the result is deterministic."""
    best, frequency = Best(features, count), np.zeros(features, np.int64)
    for start in range(0, len(codes), block):
        row, feature, value = active_entries(codes.rows(slice(start, start + block)))
        frequency += np.bincount(feature, minlength=features)
        best.add(feature, row + start, value, value)
    return TopExamples(best.rows, best.values, frequency)


def active_entries(codes: SparseCodes) -> tuple[NDArray[np.int64], NDArray[np.int32], Float32]:
    """Row, feature and activation of everything that is active, each [entries]."""
    row, slot = np.nonzero(codes.values > 0)
    return row, codes.features[row, slot], codes.values[row, slot]
