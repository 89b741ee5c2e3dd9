"""The strongest or random entries of each feature, over a stream."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32, Float64
from ...sae import SparseCodes

Integers = NDArray[np.integer[Any]]


class Best:
    """For each group, up to `count` rows with the largest keys; ties go to the earlier row.

    The result does not depend on how the stream is cut into blocks.
    """

    def __init__(self, groups: int, count: int) -> None:
        self.rows = np.full((groups, count), -1, np.int64)  # -1: empty
        self.keys = np.zeros((groups, count), np.float64)
        self.values = np.zeros((groups, count), np.float32)  # the activation of each row

    def add(self, group: Integers, row: Integers, key: Float32 | Float64, value: Float32) -> None:
        """Let new entries compete with the current ones. All arrays are [entries]; each (group, row) occurs once."""
        count = self.rows.shape[1]
        filled = self.rows >= 0
        group = np.concatenate([np.nonzero(filled)[0], group])
        row = np.concatenate([self.rows[filled], row])
        key = np.concatenate([self.keys[filled], key])
        value = np.concatenate([self.values[filled], value])
        order = np.lexsort((row, -key, group))
        group, row, key, value = group[order], row[order], key[order], value[order]
        rank = np.arange(len(group)) - np.searchsorted(group, np.arange(len(self.rows)))[group]
        best = rank < count
        slot = group[best], rank[best]
        self.rows[slot], self.keys[slot], self.values[slot] = row[best], key[best], value[best]

    def of(self, group: int) -> NDArray[np.int64]:
        """The rows of one group, largest key first."""
        rows = self.rows[group]
        return np.asarray(rows[rows >= 0])

    def entries(self, group: int) -> list[tuple[int, float]]:
        """Rows and values of one group, largest key first."""
        rows = self.of(group)
        return list(zip(rows.tolist(), self.values[group][: len(rows)].tolist(), strict=True))


class TopExamples(NamedTuple):
    """The rows with the largest activations of each feature, in descending order; padded with -1 and 0."""

    rows: NDArray[np.int64]  # [F, count]
    activations: Float32  # [F, count]
    frequency: NDArray[np.int64]  # [F], rows on which the feature is active at all

    def of(self, feature: int) -> NDArray[np.int64]:
        """The rows of one feature."""
        rows = self.rows[feature]
        return np.asarray(rows[rows >= 0])


def top_examples(codes: SparseCodes, features: int, count: int = 20, block: int = 65536) -> TopExamples:
    """The `count` strongest rows of each feature. Ties go to the earlier row, so the result is deterministic."""
    best, frequency = Best(features, count), np.zeros(features, np.int64)
    for start in range(0, len(codes), block):
        row, feature, value = active_entries(codes.rows(slice(start, start + block)))
        frequency += np.bincount(feature, minlength=features)
        best.add(feature, row + start, value, value)
    return TopExamples(best.rows, best.values, frequency)


def active_entries(codes: SparseCodes) -> tuple[NDArray[np.int64], NDArray[np.int32], Float32]:
    """Row, feature and activation of every active entry, each [entries]."""
    row, slot = np.nonzero(codes.values > 0)
    return row, codes.features[row, slot], codes.values[row, slot]


def priority(seed: int, *parts: Integers) -> NDArray[np.float64]:
    """A number in [0, 1) for each entry, which depends only on the seed and the parts (SplitMix64's finaliser).

    The entries with the largest numbers are a uniform sample, in whatever order they arrive.
    """
    with np.errstate(over="ignore"):
        state = np.uint64(seed & (2**64 - 1)) + np.uint64(0x9E3779B97F4A7C15)
        mixed = np.full(np.broadcast_shapes(*(np.shape(part) for part in parts)), state, np.uint64)
        for part in parts:
            mixed = (mixed ^ part.astype(np.uint64)) * np.uint64(0xBF58476D1CE4E5B9)
            mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) / 2**53
