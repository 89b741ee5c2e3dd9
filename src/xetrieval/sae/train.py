"""Training a TopK autoencoder on plain vectors (paper, section 3; Gao et al. 2024 for the auxiliary loss).

    L = E ||x - x^||^2 + alpha E ||e - e^||^2,   e = x - x^, e^ = its reconstruction by silent features

The code's zeros carry no gradient, so the step never builds a [batch, F] code: decode and both weight
gradients are sparse products on the pattern of kept entries.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..errors import InputError
from ..extras import require
from ..store import read_arrays, write_arrays
from .model import SparseAutoencoder
from .select import top_k


@dataclass(frozen=True)
class SaeConfig:
    """How an autoencoder is trained. Rates and schedules are fractions of the whole training."""

    features: int = 1024  # F
    k: int = 16  # active in training
    inference_k: int | None = None  # active in use; None: half as many again as in training
    epochs: int = 4
    batch_size: int = 1024
    learning_rate: float | None = None  # None: 2e-4 / sqrt(F / 2^14), Gao et al.
    warmup: float = 0.03
    decay: float = 0.25  # the last quarter falls linearly to zero
    aux_alpha: float = 1 / 32
    dead_after: float = 0.02  # silent for this fraction of training: taught by the auxiliary loss
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.k <= self.features:
            raise InputError(f"k = {self.k} is not between 1 and features = {self.features}")
        if self.inference_k is not None and not 0 < self.inference_k <= self.features:
            raise InputError(f"inference k = {self.inference_k} is not between 1 and features = {self.features}")
        if self.epochs < 1 or self.batch_size < 1:
            raise InputError("epochs and batch_size must be at least 1")

    @property
    def used_k(self) -> int:
        """How many features the trained autoencoder keeps.

        More than in training leave directions and names as they are, and let an explanation draw on weaker activations.
        """
        return self.inference_k or min(self.features, self.k * 3 // 2)

    @property
    def rate(self) -> float:
        """The peak learning rate."""
        return self.learning_rate or 2e-4 / math.sqrt(self.features / 2**14)

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


class SaeProgress(NamedTuple):
    """What a training step reports."""

    step: int
    steps: int
    fvu: float  # squared error of this batch over its variance
    dead: int  # features silent for `dead_after` of training


def train_sae(
    vectors: Float32,
    config: SaeConfig,
    report: Callable[[SaeProgress], None] | None = None,
    rows: NDArray[np.int64] | None = None,
    checkpoint: Path | None = None,
) -> SparseAutoencoder:
    """Train on `vectors` [n, m] (any float type, may be memory-mapped; batches are converted to float32).

    Same seed, same weights on one machine and thread count, interrupted or not.

    Args:
        rows: train on these rows alone. checkpoint: a file that holds the state after each epoch; if it
            exists, training goes on from it.

    Raises:
        InputError: fewer than two rows, or all rows equal. MissingExtra: torch or SciPy is absent.
    """
    torch, _ = require("torch", "train"), require("scipy.sparse", "train")
    rows = np.arange(len(vectors)) if rows is None else rows
    if len(rows) < 2:
        raise InputError(f"autoencoder: {len(rows)} rows are too few to train on")
    state = _State(torch, vectors, rows, config)
    steps_per_epoch = math.ceil(len(rows) / config.batch_size)
    steps = config.epochs * steps_per_epoch
    dead_after = max(1, int(config.dead_after * steps))
    first = state.restore(checkpoint) if checkpoint is not None and checkpoint.is_file() else 0
    for epoch in range(first, config.epochs):
        order = rows[np.random.default_rng([config.seed, epoch]).permutation(len(rows))]
        for index in range(steps_per_epoch):
            batch = np.sort(order[index * config.batch_size : (index + 1) * config.batch_size])
            x = torch.from_numpy(np.asarray(vectors[batch], dtype=np.float32))
            step = epoch * steps_per_epoch + index
            fvu = state.step(x, _schedule(step / steps, config), dead_after)
            if report is not None:
                report(SaeProgress(step + 1, steps, fvu, state.dead_count))
        if checkpoint is not None:
            state.save(checkpoint, epoch + 1)
    return state.finish()


def _silence_beta_notice(torch: Any) -> None:
    # PyTorch says once per process that CSR tensors are in beta; it is said here, to nobody.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        torch.sparse_csr_tensor([0, 1], [0], [1.0], (1, 1))


def _schedule(done: float, config: SaeConfig) -> float:
    rising = min(1.0, (done + 1e-6) / config.warmup) if config.warmup else 1.0
    falling = min(1.0, (1.0 - done) / config.decay) if config.decay else 1.0
    return rising * falling


class _State:
    """Weights, optimiser and the silence counter: everything that changes while training."""

    def __init__(self, torch: Any, vectors: Float32, rows: NDArray[np.int64], config: SaeConfig) -> None:
        self.torch, self.config = torch, config
        _silence_beta_notice(torch)
        rng = np.random.default_rng(config.seed)
        sample = np.asarray(vectors[np.sort(rng.permutation(rows)[:20_000])], dtype=np.float32)
        mean = sample.mean(axis=0)
        centred = sample - mean
        norms = np.linalg.norm(centred, axis=1)
        if not (norms > 1e-6).any():
            raise InputError("autoencoder: all rows are equal; there is nothing to decompose")
        # Directions start on data points: few features are born where no data is.
        pick = rng.choice(np.flatnonzero(norms > 1e-6), size=config.features, replace=True)
        directions = centred[pick] + rng.normal(0, 0.02, (config.features, sample.shape[1]))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        scale = 0.5 if config.k > 1 else 1.0
        self.We = torch.tensor(directions * scale, dtype=torch.float32)  # [F, m]
        self.be = torch.zeros(config.features)
        self.Wd = torch.tensor(directions, dtype=torch.float32)  # [F, m], unit rows
        self.bd = torch.tensor(mean, dtype=torch.float32)
        self.parameters = [self.We, self.be, self.Wd, self.bd]
        self.optimiser = torch.optim.Adam(self.parameters, lr=config.rate, betas=(0.9, 0.999), fused=True)
        self.silent = torch.zeros(config.features, dtype=torch.int64)
        self.dead_count = 0

    def step(self, x: Any, schedule: float, dead_after: int) -> float:
        torch, k, n = self.torch, self.config.k, len(x)
        centred = x - self.bd
        scores = torch.addmm(self.be, centred, self.We.T)
        top = torch.from_numpy(top_k(scores.numpy(), k))
        kept = torch.gather(scores, 1, top)
        values = torch.relu(kept)
        code = _Pattern(torch, top, self.config.features)
        error = x - code.times(values, self.Wd) - self.bd
        g = error * (-2.0 / n)  # dL/dx^

        self.silent += 1
        self.silent[top[values > 0]] = 0
        dead = torch.nonzero(self.silent > dead_after).flatten()
        self.dead_count = len(dead)

        dvalues = code.sampled(g, self.Wd) * (kept > 0)
        grads = [
            code.transposed_times(dvalues, centred),
            torch.zeros_like(self.be).index_add_(0, top.flatten(), dvalues.flatten()),
            code.transposed_times(values, g),
            g.sum(0),
        ]
        grads[3] = grads[3] - grads[1] @ self.We  # b also shifts the encoder's input
        if len(dead):
            self._teach_silent(dead, scores, centred, error, grads)
        grads[2] -= (grads[2] * self.Wd).sum(1, keepdim=True) * self.Wd  # stay on the unit sphere
        for parameter, grad in zip(self.parameters, grads, strict=True):
            parameter.grad = grad
        norm = math.sqrt(sum(float((grad**2).sum()) for grad in grads))
        if norm > 1.0:
            for grad in grads:
                grad /= norm
        self.optimiser.param_groups[0]["lr"] = self.config.rate * schedule
        self.optimiser.step()
        self.Wd /= self.Wd.norm(dim=1, keepdim=True)
        return float((error**2).sum() / ((x - x.mean(0)) ** 2).sum().clamp_min(1e-12))

    def _teach_silent(self, dead: Any, scores: Any, centred: Any, error: Any, grads: list[Any]) -> None:
        # The silent features alone reconstruct what is left; the main path sees none of this gradient.
        torch = self.torch
        width = min(len(dead), max(self.config.k, scores.shape[1] // 32))
        kept, place = torch.topk(scores[:, dead], min(width, len(dead)), dim=1)
        values = torch.relu(kept)
        dense = torch.zeros(len(centred), len(dead)).scatter_(1, place, values)
        g = (dense @ self.Wd[dead] - error) * (2.0 * self.config.aux_alpha / len(centred))
        dvalues = (g @ self.Wd[dead].T) * (dense > 0)
        grads[0][dead] += dvalues.T @ centred
        grads[1][dead] += dvalues.sum(0)
        grads[2][dead] += dense.T @ g

    def save(self, path: Path, epochs: int) -> None:
        """Everything a later process needs to go on exactly here."""
        arrays = {name: getattr(self, name).numpy() for name in ("We", "be", "Wd", "bd", "silent")}
        for index, parameter in enumerate(self.parameters):
            moments = self.optimiser.state[parameter]
            arrays |= {f"moment.{index}.{key}": value.numpy() for key, value in moments.items()}
        write_arrays(path, arrays | {"epochs": np.array([epochs])})

    def restore(self, path: Path) -> int:
        """The state that `save` wrote; returns the epochs done."""
        arrays = {name: self.torch.from_numpy(array) for name, array in read_arrays(path).items()}
        for name in ("We", "be", "Wd", "bd", "silent"):
            getattr(self, name).copy_(arrays[name])
        for index, parameter in enumerate(self.parameters):
            keys = ("step", "exp_avg", "exp_avg_sq")
            self.optimiser.state[parameter] = {key: arrays[f"moment.{index}.{key}"] for key in keys}
        return int(arrays["epochs"][0])

    def finish(self) -> SparseAutoencoder:
        return SparseAutoencoder(
            encoder_weight=self.We.numpy().copy(),
            encoder_bias=self.be.numpy().copy(),
            decoder_weight=np.ascontiguousarray(self.Wd.numpy().T),
            decoder_bias=self.bd.numpy().copy(),
            k=self.config.used_k,
        )


class _Pattern:
    """Where a batch's codes are not zero, and the three products on that pattern."""

    def __init__(self, torch: Any, top: Any, features: int) -> None:
        sparse = require("scipy.sparse", "train")
        n, k = top.shape
        self.torch, self.shape = torch, (n, features)
        self.starts = torch.arange(0, n * k + 1, k)
        self.columns = top.flatten()
        places = np.arange(n * k)
        by_feature = sparse.csr_matrix(
            (places, top.numpy().reshape(-1), np.arange(0, n * k + 1, k)), shape=self.shape
        ).tocsc()
        self.t_starts = torch.from_numpy(by_feature.indptr.astype(np.int64))
        self.t_rows = torch.from_numpy(by_feature.indices.astype(np.int64))
        self.t_places = torch.from_numpy(by_feature.data.astype(np.int64))

    def times(self, values: Any, W: Any) -> Any:
        """C W: [n, F] sparse times [F, m]."""
        return self._csr(self.starts, self.columns, values.flatten(), self.shape) @ W

    def transposed_times(self, values: Any, x: Any) -> Any:
        """C^T x: [F, n] sparse times [n, m]."""
        n, features = self.shape
        return self._csr(self.t_starts, self.t_rows, values.flatten()[self.t_places], (features, n)) @ x

    def sampled(self, g: Any, W: Any) -> Any:
        """<g_i, W_j> for the kept (i, j) alone, [n, k]."""
        n = self.shape[0]
        zeros = self._csr(self.starts, self.columns, self.torch.zeros(len(self.columns)), self.shape)
        return self.torch.sparse.sampled_addmm(zeros, g, W.T, beta=0.0).values().view(n, -1)

    def _csr(self, starts: Any, columns: Any, values: Any, shape: tuple[int, int]) -> Any:
        return self.torch.sparse_csr_tensor(starts, columns, values, shape, check_invariants=False)
