"""The texts that activate each feature most."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..sae import SparseCodes


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
    rows = np.full((features, count), -1, np.int64)
    activations = np.zeros((features, count), np.float32)
    frequency = np.zeros(features, np.int64)
    for start in range(0, len(codes), block):
        part = codes.rows(slice(start, start + block))
        active = part.values > 0
        feature = part.features[active]
        value = part.values[active]
        row = np.broadcast_to(np.arange(start, start + len(part))[:, None], active.shape)[active]
        frequency += np.bincount(feature, minlength=features)
        # The best so far compete with the new ones: sorted by feature, then falling activation, then row.
        kept = rows >= 0
        feature = np.concatenate([np.nonzero(kept)[0], feature])
        value = np.concatenate([activations[kept], value])
        row = np.concatenate([rows[kept], row])
        order = np.lexsort((row, -value, feature))
        feature, value, row = feature[order], value[order], row[order]
        starts = np.searchsorted(feature, np.arange(features))
        place = np.arange(len(feature)) - starts[feature]
        chosen = place < count
        rows[feature[chosen], place[chosen]] = row[chosen]
        activations[feature[chosen], place[chosen]] = value[chosen]
    return TopExamples(rows, activations, frequency)
