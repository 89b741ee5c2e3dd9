"""How an autoencoder is trained."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final, Literal

from ..errors import InputError
from .option import Option
from .variants import VARIANTS, Variant, variant

Centre = Literal["none", "mean", "whiten"]
Scoring = Literal["float32", "bfloat16"]
Fractions = tuple[float, ...]

MOST_FEATURES: Final = 1 << 24
RANGES: Final = {  # least, most, and whether the least itself is excluded
    "learning_rate": (0.0, math.inf, True),
    "penalty": (0.0, math.inf, False),
    "resample_every": (0.0, 1.0, True),
    "warmup": (0.0, 1.0, False),
    "decay": (0.0, 1.0, False),
    "bandwidth": (0.0, math.inf, True),
    "aux_alpha": (0.0, math.inf, False),
    "dead_after": (0.0, math.inf, True),
}
DEVICE: Final = re.compile(r"(cpu|mps|(cuda|xpu|hpu|npu)(:[0-9]{1,3})?)")


COMPARED: Final = tuple(name for name in VARIANTS if name != "matryoshka")  # the paper's seven


@dataclass(frozen=True)
class SaeConfig:
    """Rates and schedules are fractions of the whole training, so that they hold for any number of rows."""

    features: Annotated[int, Option("The number of features, F.", "-F")] = 1024
    l0: Annotated[
        float,
        Option("Active features per row: k for topk and batchtopk; other penalties are adjusted to reach it."),
    ] = 16
    variant: Annotated[str, Option(f"One of {', '.join(VARIANTS)}.")] = "topk"
    epochs: Annotated[int, Option("Passes over the rows.")] = 4
    batch_size: Annotated[int, Option("Rows per step.")] = 1024
    inference_k: Annotated[
        int | None, Option("topk: active features per row in use; default: as in training.", "--inference-l0")
    ] = None
    centre: Annotated[
        Centre, Option("none, mean or whiten: the space in which it trains; folded into the weights afterwards.")
    ] = "none"  # whiten: directions are unit and k-th places are taken in the whitened space
    learning_rate: Annotated[
        float | None, Option("Peak learning rate; default: 2e-4 / sqrt(F / 2^14) times the variant's rate.")
    ] = None
    warmup: float = 0.03
    decay: float = 0.25  # the last quarter falls linearly to zero
    penalty: Annotated[float | None, Option("A fixed coefficient of the penalty, instead of one adjusted to --l0.")] = (
        None
    )
    anneal: tuple[float, float] = (0.25, 0.9)  # where p falls, in ten steps
    bandwidth: float = 0.3  # jumprelu: width of the window around theta, in standard deviations of z at the start
    nested: Fractions = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)  # matryoshka: prefixes that reconstruct alone
    aux_alpha: float = 1 / 32  # weight of what dead features make of the error (Gao et al.)
    dead_after: float | int = 0.02  # steps without firing; below 1 a fraction of all steps
    resample_every: Annotated[
        float | None, Option("Restart dead features after each such fraction of training, until 0.75 of it.")
    ] = None
    scoring: Annotated[
        Scoring, Option("float32, or bfloat16 with the candidates re-scored exactly (topk); the codes are the same.")
    ] = "float32"
    early_stop: Annotated[
        int | None,
        Option("Stop after this many measurements (each 1/20 of training) without gain; needs --held-out."),
    ] = None
    held_out: Annotated[float, Option("Fraction of the rows held out to measure FVU.")] = 0.0
    device: Annotated[str, Option("cpu, cuda, cuda:1, mps or xpu.")] = "cpu"
    seed: Annotated[int, Option("Same seed, same weights.")] = 0

    def __post_init__(self) -> None:
        kind = self.kind
        self._check_numbers()
        if self.features < 1 or not 0 < self.l0 <= self.features:
            raise InputError(f"l0 = {self.l0:g} is not between 1 and features = {self.features}")
        if kind.architecture == "topk" and self.l0 != int(self.l0):
            raise InputError(
                f"topk keeps a whole number of features, not {self.l0:g}; batchtopk keeps {self.l0:g} on average"
            )
        if self.inference_k is not None and not 0 < self.inference_k <= self.features:
            raise InputError(f"inference k = {self.inference_k} is not between 1 and features = {self.features}")
        if self.epochs < 1 or self.batch_size < 1:
            raise InputError("epochs and batch_size must be at least 1")
        if self.centre not in ("none", "mean", "whiten"):
            raise InputError(f"centre {self.centre!r} is unknown; choose none, mean or whiten")
        if self.scoring not in ("float32", "bfloat16"):
            raise InputError(f"scoring {self.scoring!r} is unknown; choose float32 or bfloat16")
        if not 0 <= self.held_out < 1 or (self.early_stop is not None and not self.held_out):
            raise InputError("early_stop looks at held-out rows: give held_out between 0 and 1")
        if kind.nested and (
            list(self.nested) != sorted(set(self.nested)) or self.nested[-1] != 1 or self.nested[0] <= 0
        ):
            raise InputError("nested: give growing fractions of the features; the last must be 1")

    def _check_numbers(self) -> None:
        for name in ("features", "epochs", "batch_size", "seed"):
            if not isinstance(getattr(self, name), int):
                raise InputError(f"{name} is a whole number, not {getattr(self, name)!r}")
        if not 0 < self.features <= MOST_FEATURES:
            raise InputError(f"features = {self.features}: give 1 to {MOST_FEATURES:,}")
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed = {self.seed}: give a whole number from 0 to 2^63 - 1")
        if self.early_stop is not None and self.early_stop < 1:
            raise InputError(f"early_stop = {self.early_stop}: give at least one look")
        for name, (low, high, open_below) in RANGES.items():
            value = getattr(self, name)
            if value is None:
                continue
            if not (math.isfinite(value) and low <= value <= high and not (open_below and value == low)):
                wanted = f"{'above' if open_below else 'from'} {low:g}" + (
                    f" up to {high:g}" if high < math.inf else ""
                )
                raise InputError(f"{name.replace('_', ' ')} {value:g} is out of range; give a number {wanted}")
        if not (len(self.anneal) == 2 and 0 <= self.anneal[0] <= self.anneal[1] <= 1):
            raise InputError(f"anneal {self.anneal}: give the fractions of training where p starts and stops falling")
        if not DEVICE.fullmatch(self.device):
            raise InputError(f"device {self.device!r} is unknown; choose cpu, cuda, cuda:1, mps or xpu")

    @property
    def kind(self) -> Variant:
        """The row of the variants' table."""
        return variant(self.variant)

    @property
    def k(self) -> int:
        """Active in training, where the architecture counts them."""
        return int(self.l0)

    @property
    def used_k(self) -> int:
        """Active in use (topk)."""
        return self.inference_k or self.k

    @property
    def rate(self) -> float:
        """The peak learning rate."""
        return self.learning_rate or self.kind.rate * 2e-4 / math.sqrt(self.features / 2**14)

    def schedule(self, done: float) -> float:
        """What the learning rate is multiplied by when `done` of the training is behind."""
        rising = min(1.0, (done + 1e-6) / self.warmup) if self.warmup else 1.0
        falling = min(1.0, (1.0 - done) / self.decay) if self.decay else 1.0
        return rising * falling

    def power(self, done: float) -> float:
        """p of the penalty sum f^p: from 1 to the variant's last p in ten equal steps."""
        first, last = self.anneal
        passed = min(1.0, max(0.0, (done - first) / max(last - first, 1e-9)))
        return 1.0 + (self.kind.last_p - 1.0) * math.floor(passed * 10) / 10

    def dead_steps(self, steps: int) -> int:
        """Steps without firing after which a feature counts as dead."""
        return max(1, int(self.dead_after * steps if self.dead_after < 1 else self.dead_after))

    def to_dict(self) -> dict[str, Any]:
        """The configuration as JSON."""
        return asdict(self)


@dataclass(frozen=True)
class SweepConfig:
    """Every variant at every sparsity and size, in one pass over the rows."""

    variants: Annotated[tuple[str, ...], Option("Variants, separated by commas.")] = COMPARED
    l0: Annotated[tuple[float, ...], Option("Active features per row, separated by commas.")] = (16, 32, 64, 128, 256)
    features: Annotated[tuple[int, ...], Option("Numbers of features, separated by commas.", "-F")] = (1536,)
    epochs: Annotated[int, Option("Passes over the rows.")] = 2
    batch_size: Annotated[int, Option("Rows per step.")] = 1024
    centre: Annotated[Centre, Option("none, mean or whiten.")] = "none"
    device: Annotated[str, Option("cpu, cuda, cuda:1, mps or xpu.")] = "cpu"
    seed: Annotated[int, Option("Same seed, same weights.")] = 0
    held_out: float = 0.02  # of the documents: all kinds of one row are held out together

    def configs(self) -> list[SaeConfig]:
        """One a cell, in the table's order."""
        same = {"epochs": self.epochs, "batch_size": self.batch_size, "centre": self.centre, "device": self.device}
        return [
            SaeConfig(features, l0, variant, seed=self.seed, **same)  # type: ignore[arg-type]
            for features in self.features
            for variant in self.variants
            for l0 in self.l0
        ]
