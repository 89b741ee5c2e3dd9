"""A steering profile from judged queries: a few factors near 1.

Over competing documents, a softmax of beta (<q,z> + sum_j delta_j c_dj <q,w_j>) should put its probability on the
judged ones, with delta_j = alpha_j - 1. Loss: cross-entropy + ridge * ||delta||^2. The features that may be scaled are
those along which the loss falls most steeply at delta = 0. For profiles of kind "project", c_d is the projection of the
document on the chosen features instead of its code. For kind "scale", the loss ignores the norms of steered vectors;
ranking with the profile does not.

Instead of cross-entropy, the loss can be that of pairs: log(1 + exp(-beta (x_r - x_d))), the mean over judged documents
r and documents d that are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Float64
from ..configs.evaluate import Loss
from ..errors import InputError
from ..extras import require
from ..sae.projection import RIDGE

LARGEST: Final = 4.0  # factor
SHARPNESS: Final = 20.0  # initial value of beta


@dataclass(frozen=True)
class LearnConfig:
    """The maximum number of features to scale, how strongly factors are pulled to 1, and how many queries a feature
    must affect."""

    features: int = 16
    ridge: float = 0.03
    fewest_queries: int = 3
    loss: Loss = "softmax"

    def __post_init__(self) -> None:
        if self.features < 1 or self.ridge <= 0 or self.fewest_queries < 1:
            raise InputError(
                "steering: needs at least one feature, a ridge above 0, and at least one query per feature"
            )


class Competition(NamedTuple):
    """Queries and the documents that compete for them."""

    scores: Float64  # [q, d] <q, z>; -inf if a document does not compete for that query
    along: Float32  # [q, F] <q, w_j>
    codes: Float32  # [d, F] activations in the original view, or <z - b, w_j>
    wanted: Float64  # [q, d] probabilities; each row sums to 1
    directions: Float32 | None = None  # [F, m], if `codes` are products with them: for the kind project

    def of(self, rows: NDArray[np.int64]) -> Competition:
        """Some of the queries."""
        return self._replace(scores=self.scores[rows], along=self.along[rows], wanted=self.wanted[rows])


def learn_factors(competition: Competition, config: LearnConfig | None = None) -> dict[int, float]:
    """{feature: factor} of the features whose factor is not 1; empty if nothing helps.

    Raises:
        MissingExtra: SciPy is not installed.
    """
    config = config or LearnConfig()
    optimize = require("scipy.optimize", "eval")
    chosen = steepest(competition, config)
    if not len(chosen):
        return {}
    along = competition.along[:, chosen].astype(np.float64)
    codes = competition.codes[:, chosen].astype(np.float64)
    if competition.directions is not None:
        W = competition.directions[chosen].astype(np.float64)
        codes = np.asarray(np.linalg.solve(W @ W.T + RIDGE * np.eye(len(chosen)), codes.T).T, np.float64)
    measure = LOSSES[config.loss]

    def loss(parameters: Float64) -> tuple[float, Float64]:
        beta, delta = np.exp(parameters[0]), parameters[1:]
        moved = competition.scores + (along * delta) @ codes.T
        value, error = measure(beta * moved, competition.wanted)
        finite = np.where(np.isfinite(moved), moved, 0.0)
        gradient = np.empty_like(parameters)
        gradient[0] = beta * float((error * finite).sum())
        gradient[1:] = beta * (along * (error @ codes)).sum(axis=0) + 2 * config.ridge * delta
        return value + config.ridge * float(delta @ delta), gradient

    start = np.zeros(1 + len(chosen))
    start[0] = np.log(SHARPNESS)
    bounds = [(0.0, np.log(1000.0)), *[(-1.0, LARGEST - 1)] * len(chosen)]
    found = optimize.minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": 200})
    factors = np.round(1 + found.x[1:], 3)
    return {int(feature): float(factor) for feature, factor in zip(chosen, factors, strict=True) if factor != 1}


def steepest(competition: Competition, config: LearnConfig) -> NDArray[np.int64]:
    """The features along which the loss falls most steeply with nothing steered yet, ascending."""
    _, error = LOSSES[config.loss](SHARPNESS * competition.scores, competition.wanted)
    by_query = competition.along * (error @ competition.codes)  # [q, F]
    touched = (np.abs(by_query) > 1e-9).sum(axis=0) >= config.fewest_queries
    slope = np.where(touched, np.abs(by_query.sum(axis=0)), 0.0)
    top = np.argsort(-slope, kind="stable")[: config.features]
    return np.sort(top[slope[top] > 0])


def competition_of(
    scores: Float64, along: Float32, codes: Float32, relevant: Sequence[NDArray[np.int64]]
) -> Competition:
    """Let the documents `relevant[i]` (positions in d) share query i's probability."""
    wanted = np.zeros_like(scores)
    for row, places in enumerate(relevant):
        wanted[row, places] = 1 / len(places)
    return Competition(scores, along, codes, wanted)


def cross_entropy(logits: Float64, wanted: Float64 | Float32) -> tuple[float, Float64]:
    """The loss per query, and its derivative with respect to the logits [q, d]; a logit of -inf does not compete."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    mass = np.exp(shifted)
    total = mass.sum(axis=1, keepdims=True)
    logarithm = np.where(np.isfinite(shifted), shifted - np.log(total), 0.0)
    return -float((wanted * logarithm).sum(dtype=np.float64)) / len(wanted), (mass / total - wanted) / len(wanted)


def pair_loss(logits: Float64, wanted: Float64) -> tuple[float, Float64]:
    """The loss of pairs per query, and its derivative with respect to the logits [q, d]."""
    value, error = 0.0, np.zeros_like(logits)
    for row, (own, weight) in enumerate(zip(logits, wanted, strict=True)):
        good, others = np.flatnonzero(weight), np.flatnonzero((weight == 0) & np.isfinite(own))
        if len(others):
            gap = own[others] - own[good, None]
            share = weight[good, None] / len(others)
            value += float((share * np.logaddexp(0, gap)).sum())
            slope = share / (1 + np.exp(-gap))
            error[row, others], error[row, good] = slope.sum(axis=0), -slope.sum(axis=1)
    return value / len(wanted), error / len(wanted)


LOSSES: Final = {"softmax": cross_entropy, "pairs": pair_loss}
