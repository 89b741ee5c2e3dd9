"""The first pass: where a feature is active, how often, and with which other features."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...configs import ExamplesConfig
from ...sae import SparseAutoencoder, SparseCodes
from .best import Best, Integers, active_entries, priority
from .blocks import Block
from .select import SPARE

SIDES: Final = 2  # labelling and judging
POOL: Final = 4096  # size of each side's uniform sample of passages, the source of random silent texts
SAMPLE: Final = 96  # sampled activations per feature and side
COACTIVE: Final = 64  # other features kept for each feature


class Survey:
    """Statistics of a corpus. `group` numbers the groups of a `Best` with one group per side and feature."""

    def __init__(self, sae: SparseAutoencoder, config: ExamplesConfig) -> None:
        self.sae, self.config, self.seed = sae, config, config.seed
        features = sae.features
        self.top = Best(SIDES * features, SPARE * config.top)
        self.sample = Best(SIDES * features, max(SAMPLE, SPARE * (config.top + config.spread)))
        self.pool = Best(SIDES, POOL)
        self.pool_codes: dict[int, SparseCodes] = {}
        self.frequency, self.documents_with = np.zeros(features, np.int64), np.zeros(features, np.int64)
        self.together = np.zeros(features * features, np.uint32)  # passages on which two features are both active
        self.sums = np.zeros((features, sae.dimension), np.float64)  # of vectors, weighted by activation
        self.rows = self.documents = 0
        self.digest = blake2b(digest_size=16)

    def group(self, side: Integers | int, feature: Integers | int) -> NDArray[np.int64]:
        """The number of the group of a side and a feature."""
        return np.asarray(side * self.sae.features + feature)

    def add(self, block: Block) -> None:
        """Count one more block."""
        for part in block.to_bytes():
            self.digest.update(part)
        features, n = self.sae.features, len(block.passages)
        codes = self.sae.encode(block.vectors, bulk=True)
        row, feature, value = active_entries(codes)
        sides, owner = block.sides(self.seed), block.owners()
        group = self.group(sides[row], feature)
        self.top.add(group, row + self.rows, value, value)
        self.sample.add(group, row + self.rows, priority(self.seed, row + self.rows, feature), value)
        self._add_to_pool(codes, sides)
        self.frequency += np.bincount(feature, minlength=features)
        # A document counts once for a feature, however many of its passages activate it.
        self.documents_with += np.bincount(np.unique(owner[row] * features + feature) % features, minlength=features)
        for slot in range(codes.features.shape[1]):  # pairs with one slot of the codes at a time
            both = (codes.values > 0) & (codes.values[:, [slot]] > 0)
            pairs = codes.features[:, [slot]].astype(np.int64) * features + codes.features
            np.add.at(self.together, pairs[both], np.uint32(1))
        self.sums += codes.dense(features).T @ block.vectors
        self.rows += n
        self.documents += int(owner[-1]) + 1 if n else 0

    def _add_to_pool(self, codes: SparseCodes, sides: NDArray[np.int64]) -> None:
        rows = np.arange(len(sides)) + self.rows
        self.pool.add(sides, rows, priority(self.seed + 1, rows), np.ones(len(sides), np.float32))
        kept = {int(r) for r in self.pool.rows.reshape(-1) if r >= 0}
        new = {r: codes.rows(slice(r - self.rows, r - self.rows + 1)) for r in kept if r >= self.rows}
        self.pool_codes = {r: c for r, c in self.pool_codes.items() if r in kept} | new

    def coactive(self, feature: int) -> tuple[tuple[int, float], ...]:
        """The features most often active on the same passages, by Jaccard index."""
        both = self.together.reshape(self.sae.features, -1)[feature].astype(np.float64)
        both[feature] = 0.0
        index = both / np.maximum(self.frequency[feature] + self.frequency - both, 1.0)
        order = np.argsort(-index, kind="stable")[:COACTIVE]
        return tuple((int(o), round(float(index[o]), 4)) for o in order if index[o] > 0)

    def activations(self, feature: int) -> tuple[float, ...]:
        """A uniform sample of the feature's activations, in descending order."""
        groups = (int(self.group(side, feature)) for side in range(SIDES))
        values = np.concatenate([self.sample.values[group][:SAMPLE] for group in groups])
        return tuple(round(float(v), 4) for v in np.sort(values[values > 0])[::-1])
