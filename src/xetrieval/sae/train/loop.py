"""The one training loop: one autoencoder, or many that read the same batches."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32, Matrix
from ...configs import SaeConfig
from ...errors import DamagedError, DivergedError, InputError, TrainingWarning
from ...extras import require
from ...files import digest_of
from ...files.foreign import load_torch, save_torch
from ..measure import reconstruction
from ..model import SparseAutoencoder
from ..stack import Stack
from .config import SaeStep, check_device
from .finish import finish
from .rows import BadRows, Checked, batches, check_rows
from .scaling import Scaling, scaling_of
from .stop import EarlyStop
from .trainer import Trainer

SAMPLE = 32_768  # rows used to set scales, initial weights and final thresholds
LOOKED_AT = 4096  # held-out rows to measure on
LOOKS = 20  # measurements per training run
WORTH_THREADS = 1 << 28  # a step uses several threads if rows x features x dimensions is at least this
USELESS, DIVERGED = 1.1, 10.0  # FVU; the mean alone gives 1
SAVE_EVERY, SAVE_FACTOR = 60.0, 30.0  # seconds between saves; also at least this many times as long as a save takes

OnStep = Callable[[int, SaeStep], None]  # called with the number of the autoencoder and the figures of its step


class Trained(NamedTuple):
    """The result of a training run."""

    sae: SparseAutoencoder
    steps: int  # steps done; fewer than planned after an early stop
    resampled: int  # features reinitialised
    held_out_fvu: float | None  # FVU of the finished autoencoder on up to 4,096 held-out rows


def train_sae(
    vectors: Matrix | Stack,
    config: SaeConfig,
    on_step: Callable[[SaeStep], None] | None = None,
    rows: NDArray[np.int64] | None = None,
    checkpoint: Path | None = None,
    bad_rows: BadRows = "refuse",
    start: SparseAutoencoder | None = None,
) -> SparseAutoencoder:
    """Train one autoencoder on `vectors` [n, m] (any float type, may be memory-mapped, or a `Stack`).

    On the same kind of processor, the same seed gives the same weights, interrupted or not.

    Args:
        rows: train only on these rows. checkpoint: a file for the state, written once a minute; if it exists, training
            resumes from it. bad_rows: "drop" leaves out rows that are zero, NaN or infinite. start: an autoencoder
            whose features are the first ones at the start.

    Raises:
        InputError: fewer than two rows, all rows equal, rows that cannot be used.
        DamagedError: the checkpoint belongs to a different training run.
        DivergedError: the numbers grew without bound, or the result is far worse than the mean; the checkpoint is
            removed then.
        MissingExtra: torch or numba is not installed.
    """
    each = None if on_step is None else lambda _, step: on_step(step)
    return train_many(vectors, [config], each, rows, checkpoint, bad_rows, start)[0].sae


def train_many(
    vectors: Matrix | Stack,
    configs: Sequence[SaeConfig],
    on_step: OnStep | None = None,
    rows: NDArray[np.int64] | None = None,
    checkpoint: Path | None = None,
    bad_rows: BadRows = "refuse",
    start: SparseAutoencoder | None = None,
) -> list[Trained]:
    """Train several autoencoders in one pass over the data: each batch is read once and used by all.

    They must have the same epochs, batch size, held-out fraction, centring and device; the first seed orders the rows.
    """
    _must_agree(configs)
    check_device(configs[0].device)
    first = configs[0]
    stack = vectors if isinstance(vectors, Stack) else Stack([vectors])
    given = np.arange(len(stack)) if rows is None else np.asarray(rows, np.int64)
    if len(given) < 2:
        raise InputError(f"autoencoder: {len(given)} rows are too few to train on")
    checked = check_rows(stack, given, bad_rows)
    work = first.batch_size * sum(config.features for config in configs) * stack.shape[1]
    with few_threads(one=first.device == "cpu" and work < WORTH_THREADS):
        return _train(stack, checked, configs, on_step, checkpoint, start)


def _train(
    stack: Stack,
    checked: Checked,
    configs: Sequence[SaeConfig],
    on_step: OnStep | None,
    checkpoint: Path | None,
    start: SparseAutoencoder | None,
) -> list[Trained]:
    plan = _Plan.of(stack, checked, configs[0])
    trainers = [Trainer(config, plan.sample, plan.steps) for config in configs]
    stops = [EarlyStop(config.early_stop) for config in configs]
    facts = [*plan.facts]
    if start is not None:
        facts.append(start.digest)
        for trainer in trainers:
            trainer.begin_with(start, plan.scaling)
    made = digest_of([[config.to_dict() for config in configs], stack.shape, len(plan.train), digest_of(facts)])
    done = _restore(checkpoint, made, trainers, stops)
    try:
        _learn(plan, trainers, stops, on_step, checkpoint, made, done)
        return [_trained(trainer, stop, plan) for trainer, stop in zip(trainers, stops, strict=True)]
    except DivergedError:
        if checkpoint is not None:
            checkpoint.unlink(missing_ok=True)
        raise


@contextmanager
def few_threads(*, one: bool) -> Iterator[None]:
    """Let PyTorch and the compiled loops use a single thread, if `one` is true.

    They end each loop with a barrier at which every thread spins. A small training step has dozens of loops of less
    than a millisecond, so on a busy processor it spends most of its time at barriers.
    """
    torch = require("torch", "train")
    before = torch.get_num_threads()
    if one:
        require("numba", "train").set_num_threads(1)  # first, because starting its threads also sets PyTorch's
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _learn(
    plan: _Plan,
    trainers: Sequence[Trainer],
    stops: Sequence[EarlyStop],
    on_step: OnStep | None,
    checkpoint: Path | None,
    made: str,
    done: int,
) -> None:
    """Run all steps from step `done`, saving the state once a minute and at the end."""
    torch, first = require("torch", "train"), plan.config
    saved, pause = time.monotonic(), SAVE_EVERY
    for x in plan.batches(done):
        tensor = torch.from_numpy(plan.scaling.apply(x)).to(first.device)
        for place, (trainer, stop) in enumerate(zip(trainers, stops, strict=True)):
            if stop.reached:
                continue
            step = trainer.step(tensor)
            if plan.looks_at(step.step):
                stop.look(trainer, plan.scaling.apply(plan.held_out))
            if on_step is not None:
                on_step(place, step)
        done += 1
        if all(stop.reached for stop in stops):
            break
        if checkpoint is not None and time.monotonic() - saved > pause:
            began = time.monotonic()
            _save(checkpoint, made, done, trainers, stops)
            saved = time.monotonic()
            pause = max(SAVE_EVERY, SAVE_FACTOR * (saved - began))  # large states are saved less often
    if checkpoint is not None:
        _save(checkpoint, made, done, trainers, stops)


class _Plan(NamedTuple):
    """The training rows, their order, and the training space."""

    stack: Stack
    config: SaeConfig
    train: NDArray[np.int64]
    held_out: Float32  # [n, m]
    scaling: Scaling
    sample: Float32  # [n, m] in the training space
    facts: list[Any]

    @classmethod
    def of(cls, stack: Stack, checked: Checked, config: SaeConfig) -> _Plan:
        order = np.random.default_rng([config.seed, 1 << 20]).permutation(checked.rows)
        held = round(config.held_out * len(order))
        train = np.sort(order[held:])
        if len(train) < 2:
            raise InputError(f"autoencoder: {len(train)} rows are too few to train on")
        some = stack.take(np.sort(order[held : held + SAMPLE]))
        scaling = scaling_of(some, config.centre)
        looked_at = stack.take(np.sort(order[: min(held, LOOKED_AT)]))
        facts = [checked.zero, checked.not_finite, float(np.abs(some).sum(dtype=np.float64))]
        return cls(stack, config, train, looked_at, scaling, scaling.apply(some), facts)

    @property
    def per_epoch(self) -> int:
        return math.ceil(len(self.train) / self.config.batch_size)

    @property
    def steps(self) -> int:
        return self.per_epoch * self.config.epochs

    def looks_at(self, step: int) -> bool:
        return bool(len(self.held_out)) and step % max(1, self.steps // LOOKS) == 0

    def batches(self, done: int) -> Iterator[Float32]:
        """The batches of all epochs, starting after the first `done`."""
        for epoch in range(done // self.per_epoch, self.config.epochs):
            skip = done - epoch * self.per_epoch if epoch == done // self.per_epoch else 0
            yield from batches(self.stack, self.train, self.config.batch_size, self.config.seed, epoch, skip)


def _must_agree(configs: Sequence[SaeConfig]) -> None:
    if not configs:
        raise InputError("no autoencoder to train")
    for name in ("epochs", "batch_size", "held_out", "centre", "device"):
        found = {getattr(config, name) for config in configs}
        if len(found) > 1:
            raise InputError(
                f"autoencoders trained in one pass must have the same {name}, not {sorted(map(str, found))}"
            )


def _trained(trainer: Trainer, stop: EarlyStop, plan: _Plan) -> Trained:
    w = trainer.weights(stop.best if stop.reached else None)
    with np.errstate(all="ignore"):  # an overflow is reported below
        try:
            sae = finish(trainer.config, w, plan.scaling, plan.sample)
            _check_result(sae, trainer, plan)
            fvu = reconstruction(sae, plan.held_out).fvu if len(plan.held_out) else None
        except InputError as error:  # weights that are finite, but too large to compute with
            raise trainer.diverged("a score or a threshold is") from error
    return Trained(sae, trainer.done, trainer.resampled, None if fvu is None or np.isnan(fvu) else fvu)


def _check_result(sae: SparseAutoencoder, trainer: Trainer, plan: _Plan) -> None:
    """Refuse a result that reconstructs its training rows far worse than their mean would; warn if only worse."""
    if not all(np.isfinite(array).all() for array in (sae.encoder_weight, sae.encoder_bias, sae.decoder_bias)):
        raise trainer.diverged("a weight is")
    some = plan.train[:: max(1, len(plan.train) // LOOKED_AT)][:LOOKED_AT]
    fvu = reconstruction(sae, plan.stack.take(some)).fvu
    problem = (
        f"the result reconstructs its own training vectors worse than their mean would (FVU {fvu:.3g}, the mean: 1)"
    )
    if not fvu < DIVERGED:
        raise DivergedError(f"training diverged: {problem}; lower the learning rate (it was {trainer.config.rate:g})")
    if fvu > USELESS:
        warnings.warn(
            f"{problem}; train longer, or with a different learning rate or sparsity", TrainingWarning, stacklevel=2
        )


def _save(path: Path, made: str, done: int, trainers: Sequence[Trainer], stops: Sequence[EarlyStop]) -> None:
    states = [(trainer.state(), stop.state()) for trainer, stop in zip(trainers, stops, strict=True)]
    save_torch(path, {"made": made, "done": done, "states": states})


def _restore(path: Path | None, made: str, trainers: Sequence[Trainer], stops: Sequence[EarlyStop]) -> int:
    if path is None or not path.is_file():
        return 0
    saved = load_torch(path)
    if not isinstance(saved, dict) or saved.get("made") != made:
        raise DamagedError(
            f"{path}: the state of a different training run (vectors or settings differ); remove it to start again"
        )
    for trainer, stop, (state, stopping) in zip(trainers, stops, saved["states"], strict=True):
        trainer.resume(state)
        stop.resume(stopping)
    return int(saved["done"])
