"""Carries features over when an autoencoder is retrained: same direction and activations, same id.

An id is a row of the autoencoder. So a carried feature stays in its row, a new one gets a row after all earlier ones,
and the row of a lost one is retired, which means that it is never active again.

Trained from new initial weights, only two in a hundred features come back (docs/decisions.md). So training starts from
the earlier features, at a quarter of the rate, and they adapt to the current corpus.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..labels.transfer import match_features
from ..sae import SparseAutoencoder
from ..sae.measure import Activity
from .labelling import Rows

SLOWER: Final = 4  # the learning rate is divided by this
LEAST_COSINE: Final = 0.8  # two features are the same if the cosine of their directions is at least this, and
LEAST_OVERLAP: Final = 0.3  # the Jaccard index of the rows on which they are active is at least this
BLOCK: Final = 8192


class Carried(NamedTuple):
    """An autoencoder that extends an earlier one, and what became of the earlier features, by id."""

    sae: SparseAutoencoder
    kept: frozenset[int]
    new: frozenset[int]
    lost: frozenset[int]  # lost now, not earlier


def most_used(sae: SparseAutoencoder, vectors: Rows, count: int) -> SparseAutoencoder:
    """The features, at most `count`, that are active on most rows."""
    active = _active(sae, vectors)
    rows = np.sort(np.argsort(-active, kind="stable")[: min(count, int((active > 0).sum()))])
    return _rows_of(sae, rows)


def carry_over(old: SparseAutoencoder, learned: SparseAutoencoder, vectors: Rows) -> Carried:
    """The trained autoencoder, with the features of `old` that it still has in their old rows.

    Args:
        vectors: the corpus, on which activations are compared.
    """
    matched = {
        m.old: m.new for m in match_features(old, learned, _blocks(vectors), LEAST_COSINE, LEAST_OVERLAP).accepted
    }
    unmatched = np.setdiff1d(np.arange(learned.features), list(matched.values()))
    new = unmatched[_active(learned, vectors)[unmatched] > 0]
    place = np.full(old.features + len(new), -1)
    place[list(matched)] = list(matched.values())
    place[old.features :] = new
    retired = np.flatnonzero(place < 0)
    sae = _rows_of(learned, place)
    sae.encoder_weight[retired] = 0
    sae.encoder_bias[retired] = 0
    sae.decoder_weight[:, retired] = old.decoder_weight[:, retired]
    lost = np.setdiff1d(np.flatnonzero(~old.retired), list(matched))
    return Carried(
        sae,
        frozenset(matched),
        frozenset(range(old.features, sae.features)),
        frozenset(lost.tolist()),
    )


def _rows_of(sae: SparseAutoencoder, rows: NDArray[np.int64]) -> SparseAutoencoder:
    """Some features of an autoencoder, as copies."""
    return SparseAutoencoder(
        sae.encoder_weight[rows],
        sae.encoder_bias[rows],
        np.ascontiguousarray(sae.decoder_weight[:, rows]),
        sae.decoder_bias,
        None if sae.k is None else min(sae.k, len(rows)),
        None if sae.thresholds is None else sae.thresholds[rows],
    )


def _active(sae: SparseAutoencoder, vectors: Rows) -> NDArray[np.int64]:
    """On how many rows each feature is active."""
    activity = Activity(sae.features)
    for block in _blocks(vectors):
        activity.add(sae.encode(block, bulk=True))
    return activity.active


def _blocks(vectors: Rows) -> Iterator[Float32]:
    for start in range(0, len(vectors), BLOCK):
        yield vectors.take(np.arange(start, min(len(vectors), start + BLOCK)))
