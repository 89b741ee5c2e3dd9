"""Untrained dictionaries: the baseline for how much a trained one explains.

Any dictionary explains something, because each text activates whichever directions happen to be close to it. So each
figure of a trained one is compared with that of random directions with the same F, the same bias and the same
activation rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, l2norm
from ..sae import SparseAutoencoder

Spread = Literal["covariance", "isotropic"]
SEEDS: Final = 5
ROWS: Final = 32_768  # rows sampled from the corpus to compute the covariance and set the threshold


def untrained(
    sae: SparseAutoencoder, corpus: Float32, spread: Spread = "covariance", seeds: Iterable[int] = (0,)
) -> Iterator[SparseAutoencoder]:
    """For each seed, random unit directions as encoder and decoder in place of those of `sae`.

        w_j = g_j / ||g_j||,   g_j ~ N(0, C) with C the covariance of the corpus, or N(0, I) where `spread` is isotropic

    With k, the k largest of a row are active, as in `sae`. With thresholds, one common threshold is chosen so that rows
    of the corpus have as many active features as with `sae`, on average.

    Args:
        corpus: vectors [n, m]; the first 32,768 of a seeded order are used.
    """
    rows, features = _sample(corpus), int((~sae.retired).sum())
    if spread == "covariance":
        centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
        values, axes = np.linalg.eigh(centred.T @ centred / max(1, len(rows) - 1))
    for seed in seeds:
        drawn = np.random.default_rng([seed, spread == "isotropic"]).standard_normal((features, sae.dimension))
        if spread == "covariance":
            drawn = drawn * np.sqrt(np.maximum(values, 0.0)) @ axes.T
        directions = l2norm(drawn).astype(np.float32)
        yield SparseAutoencoder(
            directions,
            np.zeros(features, np.float32),
            np.ascontiguousarray(directions.T),
            sae.decoder_bias,
            sae.k,
            None if sae.k is not None else _thresholds(sae, rows, directions),
        )


def _sample(corpus: Float32) -> Float32:
    if len(corpus) <= ROWS:
        return corpus
    chosen: NDArray[np.int64] = np.sort(np.random.default_rng(0).permutation(len(corpus))[:ROWS])
    return corpus[chosen]


def _thresholds(sae: SparseAutoencoder, rows: Float32, directions: Float32) -> Float32:
    """One threshold for all features, at which `rows` have as many active features in total as with `sae`."""
    wanted = int((sae.encode(rows).values > 0).sum())
    scores = ((rows - sae.decoder_bias) @ directions.T).reshape(-1)
    if not 0 < wanted < len(scores):
        return np.zeros(len(directions), np.float32)
    edge = np.partition(scores, [len(scores) - wanted - 1, len(scores) - wanted])
    level = max(0.0, float(edge[len(scores) - wanted - 1 : len(scores) - wanted + 1].mean()))
    return np.full(len(directions), level, np.float32)
