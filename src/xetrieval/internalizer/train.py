"""Trains an internalizer on pairs of vectors, by the paper's protocol (section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..configs import InternalizerConfig
from ..configs.internalizer import Form
from ..errors import InputError, MismatchError
from ..extras import require
from .network import Internalizer


class Fitted(NamedTuple):
    """A trained internalizer and how close it comes on validation pairs."""

    internalizer: Internalizer
    cosine: float  # mean cosine of R(z) to the target
    raw_cosine: float  # the same for z itself, without an internalizer
    validation_pairs: int
    epochs: int


def split_by_group(groups: Sequence[str], validation: float, seed: int) -> NDArray[np.bool_]:
    """True for validation rows. Groups (threads) are not split; of two or more, each side gets at least one."""
    names = np.array(sorted(set(groups)))
    count = max(1, min(round(validation * len(names)), len(names) - 1))
    held = names[np.random.default_rng(seed).permutation(len(names))[:count]]
    return np.isin(np.asarray(groups), held)


def train_internalizer(
    z: Float32, target: Float32, groups: Sequence[str], config: InternalizerConfig, weights: Float32 | None = None
) -> Fitted:
    """Fit R so that R(z) approaches `target`: mean squared error, Adam, early stopping on validation.

    Args:
        z, target: [n, m], row by row.
        groups: the thread of each row; no thread is split between training and validation.
        weights: [n], above 0, the weight of each row in the error; None: equal.
    Raises:
        MismatchError: shapes differ. InputError: fewer than two groups.
    """
    torch = require("torch", "train")
    if z.shape != target.shape or len(groups) != len(z):
        raise MismatchError(f"internalizer: {z.shape} vectors, {target.shape} targets, {len(groups)} groups")
    weights = np.ones(len(z), np.float32) if weights is None else np.asarray(weights, np.float32)
    if weights.shape != (len(z),) or not (np.isfinite(weights).all() and (weights > 0).all()):
        raise InputError(f"internalizer: give one weight above 0 for each of the {len(z)} rows")
    if len(set(groups)) < 2:
        raise InputError("internalizer: give teacher texts of at least two threads; one is held out")
    held = split_by_group(groups, config.validation, config.seed)
    generator = torch.Generator().manual_seed(config.seed)
    parameters = _initial(torch, z.shape[1], config, generator)
    optimiser = torch.optim.Adam(parameters, lr=config.learning_rate)
    x, y = torch.from_numpy(z[~held]), torch.from_numpy(target[~held])
    xv, yv = torch.from_numpy(z[held]), torch.from_numpy(target[held])
    w, wv = torch.from_numpy(weights[~held])[:, None], torch.from_numpy(weights[held])[:, None]

    def error(x: Any, y: Any, w: Any) -> Any:  # mean over rows by weight and over the m components
        return (w * (_forward(torch, parameters, x, config.form) - y) ** 2).mean() / w.mean()

    best, best_loss, waited, epochs = [p.detach().clone() for p in parameters], float("inf"), 0, 0
    while epochs < config.epochs and waited < config.patience:
        epochs += 1
        order = torch.randperm(len(x), generator=generator)
        for batch in order.split(config.batch_size):
            loss = error(x[batch], y[batch], w[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        with torch.no_grad():
            held_loss = float(error(xv, yv, wv))
        if held_loss < best_loss - 1e-7:
            best, best_loss, waited = [p.detach().clone() for p in parameters], held_loss, 0
        else:
            waited += 1
    w1, b1, w2, b2 = (p.numpy() for p in best)
    internalizer = Internalizer(w1, b1, w2, b2, config.form)
    near = nearness(internalizer, z[held], target[held])
    return Fitted(internalizer, near.cosine, near.raw_cosine, int(held.sum()), epochs)


class Nearness(NamedTuple):
    """How close views are to the embeddings of a teacher's texts."""

    cosine: float  # mean cosine of R(z) to the target
    raw_cosine: float  # the same for z itself, without an internalizer
    recall: float  # how often the target is closer to its own view than to 100 others
    raw_recall: float


def nearness(internalizer: Internalizer, z: Float32, target: Float32, others: int = 100) -> Nearness:
    """Compare both R(z) and z with `target`, all [n, m].

    Recall is computed in blocks of at most `others` + 1 consecutive rows.
    """
    view = internalizer(z)
    return Nearness(
        float(np.einsum("nm,nm->n", view, target).mean()),
        float(np.einsum("nm,nm->n", z, target).mean()),
        _recall(view, target, others + 1),
        _recall(z, target, others + 1),
    )


def _recall(view: Float32, target: Float32, block: int) -> float:
    hits = 0
    for start in range(0, len(view), block):
        scores = target[start : start + block] @ view[start : start + block].T
        hits += int((scores.argmax(1) == np.arange(len(scores))).sum())
    return hits / max(1, len(view))


def _initial(torch: Any, m: int, config: InternalizerConfig, generator: Any) -> list[Any]:
    def uniform(*shape: int) -> Any:
        bound = shape[-1] ** -0.5
        return (torch.rand(*shape, generator=generator) * 2 - 1) * bound

    h = config.hidden
    w2 = torch.zeros(m, h) if config.form == "residual" else uniform(m, h)  # residual: start at the identity
    parameters = [uniform(h, m), torch.zeros(h), w2, torch.zeros(m)]
    return [p.requires_grad_() for p in parameters]


def _forward(torch: Any, parameters: list[Any], z: Any, form: Form) -> Any:
    w1, b1, w2, b2 = parameters
    out = torch.tanh(z @ w1.T + b1) @ w2.T + b2
    if form == "residual":
        out = out + z
    return torch.nn.functional.normalize(out, dim=-1)
