"""The entries with the largest keys, per feature, over a stream."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32

Integers = NDArray[np.integer[Any]]


class Best:
    """Per feature up to `count` rows, those with the largest keys; equal keys keep the earlier row.

    What is kept does not depend on how the stream is cut into blocks.
    """

    def __init__(self, features: int, count: int) -> None:
        self.rows = np.full((features, count), -1, np.int64)  # -1: empty
        self.keys = np.zeros((features, count), np.float64)
        self.values = np.zeros((features, count), np.float32)  # what an entry carries beside its key

    def add(self, feature: Integers, row: Integers, key: NDArray[np.floating[Any]], value: Float32) -> None:
        """Let new entries compete with those that are kept. All arrays are [entries]; no (feature, row) comes twice."""
        count = self.rows.shape[1]
        kept = self.rows >= 0
        feature = np.concatenate([np.nonzero(kept)[0], feature])
        row = np.concatenate([self.rows[kept], row])
        key = np.concatenate([self.keys[kept], key])
        value = np.concatenate([self.values[kept], value])
        order = np.lexsort((row, -key, feature))
        feature, row, key, value = feature[order], row[order], key[order], value[order]
        place = np.arange(len(feature)) - np.searchsorted(feature, np.arange(len(self.rows)))[feature]
        chosen = place < count
        at = feature[chosen], place[chosen]
        self.rows[at], self.keys[at], self.values[at] = row[chosen], key[chosen], value[chosen]

    def of(self, feature: int) -> NDArray[np.int64]:
        """The rows of one feature, largest key first."""
        rows = self.rows[feature]
        return np.asarray(rows[rows >= 0])


def priority(seed: int, *parts: Integers) -> NDArray[np.float64]:
    """A number in [0, 1) for each entry, decided by the seed and its parts alone (SplitMix64's finaliser).

    The entries with the largest are a uniform sample, whatever the order they come in.
    """
    with np.errstate(over="ignore"):
        state = np.uint64(seed & (2**64 - 1)) + np.uint64(0x9E3779B97F4A7C15)
        mixed = np.full(np.broadcast_shapes(*(np.shape(part) for part in parts)), state, np.uint64)
        for part in parts:
            mixed = (mixed ^ part.astype(np.uint64)) * np.uint64(0xBF58476D1CE4E5B9)
            mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) / 2**53
