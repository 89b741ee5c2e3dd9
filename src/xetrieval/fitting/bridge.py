"""Carries the features of one encoder's dictionary to another encoder, over texts that both have read.

Two ridge regressions, in closed form:

    z_j(x') = <x', u_j> + a_j     from the second encoder's vectors x' to the first one's pre-activations z
    x'      = V c + b             from the first one's codes c to the second one's vectors

u_j becomes the encoder of feature j, column j of V its direction. Its threshold is the one at which it is active on as
many of the texts as before. How well a feature was carried is the correlation of its two activations on texts that the
regressions did not see.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Float64, l2norm
from ..errors import InputError, MismatchError
from ..sae import SparseAutoencoder

RIDGE: Final = 0.1  # of the mean variance of an input
HELD_OUT: Final = 0.2  # of the texts
FEWEST: Final = 100  # texts
FEWEST_ACTIVE: Final = 5  # texts on which a feature must be active, to be learned; as many to be tested
SHARED: Final = 0.5  # correlation from which a feature counts as shared
BLOCK: Final = 4096


@dataclass(frozen=True, eq=False)
class Bridge:
    """A dictionary in the space of the second encoder, with the features of the first one."""

    sae: SparseAutoencoder  # features that could not be carried are never active
    correlation: Float64  # [F], on held-out texts; NaN: not tested
    texts: int  # texts that it was learned from and tested on

    @property
    def carried(self) -> NDArray[np.bool_]:
        """Features that the second encoder has too: held-out correlation of at least 0.5, [F]."""
        return np.nan_to_num(self.correlation, nan=-1.0) >= SHARED

    @property
    def tested(self) -> NDArray[np.bool_]:
        """Features whose correlation could be measured, [F]."""
        return np.isfinite(self.correlation)


def carry_features(sae: SparseAutoencoder, first: Float32, second: Float32, seed: int = 0) -> Bridge:
    """The features of `sae`, a dictionary of the first encoder, as features of the second.

    Args:
        first, second: unit vectors [n, m] and [n, m'] of the same n texts.
    Raises:
        MismatchError: the numbers of rows differ. InputError: fewer than 100 texts, or vectors that are all alike.
    """
    if len(first) != len(second):
        raise MismatchError(f"{len(first)} vectors of one encoder for {len(second)} of the other")
    if len(first) < FEWEST:
        raise InputError(f"{len(first)} common texts are too few to carry features over; it takes {FEWEST}")
    order = np.random.default_rng(seed).permutation(len(first))
    held = round(HELD_OUT * len(order))
    test, train = order[:held], order[held:]
    codes = _dense(sae, first)
    seen = second[train].astype(np.float64)
    into, start = _ridge(seen, _pre_activations(sae, first[train]))
    out, _ = _ridge(codes[train].astype(np.float64), seen)

    z = seen @ into + start
    often = (codes[train] > 0).mean(axis=0)
    usable = (often * len(train) >= FEWEST_ACTIVE) & out.any(axis=1)
    thresholds = np.array([np.quantile(z[:, j], 1 - often[j]) if usable[j] else 0.0 for j in range(sae.features)])
    into[:, ~usable], start[~usable] = 0.0, 0.0
    mean = seen.mean(axis=0)
    directions = l2norm(out)
    directions[~directions.any(axis=1), 0] = 1.0
    made = SparseAutoencoder(
        into.T.astype(np.float32),
        (start + mean @ into).astype(np.float32),  # z is of x' - b
        np.ascontiguousarray(directions.T, np.float32),
        mean.astype(np.float32),
        None,
        np.maximum(thresholds, 0.0).astype(np.float32),
    )
    return Bridge(made, _correlation(codes[test], _dense(made, second[test]), usable), len(first))


def _ridge(x: Float64, y: Float64) -> tuple[Float64, Float64]:
    """W [m, F] and a [F] of y = x W + a, with the mean variance of an input times RIDGE as penalty."""
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    centred = x - mean_x
    gram = centred.T @ centred
    penalty = RIDGE * float(np.trace(gram)) / len(gram)
    if not penalty:
        raise InputError("the vectors of the common texts are all alike; no feature can be carried over")
    gram[np.diag_indices_from(gram)] += penalty
    weights = np.linalg.solve(gram, centred.T @ (y - mean_y))
    return weights, mean_y - mean_x @ weights


def _pre_activations(sae: SparseAutoencoder, x: Float32) -> Float64:
    z = (x - sae.decoder_bias) @ sae.encoder_weight.T + sae.encoder_bias
    return z.astype(np.float64)


def _dense(sae: SparseAutoencoder, x: Float32) -> Float32:
    parts = [sae.encode(x[start : start + BLOCK]).dense(sae.features) for start in range(0, len(x), BLOCK)]
    return np.concatenate(parts)


def _correlation(known: Float32, found: Float32, usable: NDArray[np.bool_]) -> Float64:
    """Pearson correlation of each feature's activations, [F]; NaN where it is active on too few of the texts."""
    tested = usable & ((known > 0).sum(axis=0) >= FEWEST_ACTIVE)
    a, b = (x.astype(np.float64) - x.mean(axis=0, dtype=np.float64) for x in (known, found))
    lengths = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(lengths > 0, (a * b).sum(axis=0) / lengths, 0.0)  # silent in the second: not carried
    return np.where(tested, value, np.nan)
