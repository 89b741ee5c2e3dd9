"""How an autoencoder is trained."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, NamedTuple

from ...errors import InputError
from ...extras import require
from ..variants import Variant, variant

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


@dataclass(frozen=True)
class SaeConfig:
    """Rates and schedules are fractions of the whole training, so that they hold for any number of rows."""

    features: int = 1024  # F
    l0: float = 16  # active features a row: k where the architecture counts them, else what the penalty is driven to
    variant: str = "topk"
    epochs: int = 4
    batch_size: int = 1024
    inference_k: int | None = None  # topk: active in use; None: as many as in training
    centre: Centre = "none"  # whiten: directions are unit and k-th places are taken in the whitened space
    learning_rate: float | None = None  # None: 2e-4 / sqrt(F / 2^14) (Gao et al.) times the variant's rate
    warmup: float = 0.03
    decay: float = 0.25  # the last quarter falls linearly to zero
    penalty: float | None = None  # a fixed coefficient lambda; None: driven so that L0 reaches `l0`
    anneal: tuple[float, float] = (0.25, 0.9)  # where p falls, in ten steps
    bandwidth: float = 0.3  # jumprelu: width of the window around theta, in standard deviations of z at the start
    nested: Fractions = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)  # matryoshka: prefixes that reconstruct alone
    aux_alpha: float = 1 / 32  # weight of what silent features make of the error (Gao et al.)
    dead_after: float | int = 0.02  # steps without firing; below 1 a fraction of all steps
    resample_every: float | None = None  # dead features restart after each such part of training, until 0.75 of it
    scoring: Scoring = "float32"  # bfloat16: candidates in half precision, re-scored exactly; same codes
    early_stop: int | None = None  # stop after this many looks at held-out rows (each 1/20 of training) without gain
    held_out: float = 0.0  # of the rows, for those looks; early_stop needs some
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        kind = self.kind
        self._check_numbers()
        if self.features < 1 or not 0 < self.l0 <= self.features:
            raise InputError(f"k = {self.l0:g} is not between 1 and features = {self.features}")
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
            raise InputError("nested: growing fractions of the features that end with 1")

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
            raise InputError(f"anneal {self.anneal}: give where p begins and ends to fall, two parts of the training")
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


def check_device(device: str) -> None:
    """Refuse a device that PyTorch cannot reach here, before any work.

    Raises:
        InputError: it is not there. MissingExtra: torch is not installed.
    """
    if device == "cpu":
        return
    torch = require("torch", "train")
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"device {device!r} cannot be used here ({reason}); train on cpu") from error


class SaeStep(NamedTuple):
    """The figures of one training step."""

    step: int
    steps: int
    loss: float  # mean squared error of a row, in the space of training
    fvu: float  # squared error of this batch over its variance
    l0: float  # active features a row
    dead: int  # features inactive for `dead_after` of training
    penalty: float  # the coefficient lambda; 0 where there is none

    @property
    def note(self) -> str:
        """The figures that a progress bar shows."""
        return f"loss {self.loss:.4f}  FVU {self.fvu:.3f}  L0 {self.l0:.1f}  dead {self.dead}"
