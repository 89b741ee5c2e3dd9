"""How an autoencoder is trained."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Final, Literal, get_args

from ..errors import InputError
from ..records import Settings
from .option import Checked, Option, Range, Seed
from .variants import VARIANTS, Variant, variant

Centre = Literal["none", "mean", "whiten"]
Scoring = Literal["float32", "bfloat16"]
Fractions = tuple[float, ...]

MOST_FEATURES: Final = 1 << 24
DEVICE: Final = re.compile(r"(cpu|mps|(cuda|xpu|hpu|npu)(:[0-9]{1,3})?)")


def check_device_name(device: str) -> None:
    """Raise InputError for a device that PyTorch does not know."""
    if not DEVICE.fullmatch(device):
        raise InputError(f"device {device!r} is unknown; choose cpu, cuda, cuda:1, mps or xpu")


COMPARED: Final = tuple(name for name in VARIANTS if name != "matryoshka")  # the paper's seven


@dataclass(frozen=True)
class SaeConfig(Settings, Checked):
    """How one autoencoder is trained. Schedules are fractions of the training, so that they fit any number of rows."""

    features: Annotated[int, Option("The number of features, F.", "-F"), Range(1, MOST_FEATURES)] = 1024
    l0: Annotated[
        float,
        Option("Active features per row: k for topk and batchtopk; other penalties are adjusted to reach it."),
    ] = 16
    variant: Annotated[str, Option(f"One of {', '.join(VARIANTS)}.")] = "topk"
    epochs: Annotated[int, Option("Passes over the rows."), Range(1)] = 4
    batch_size: Annotated[int, Option("Rows per step."), Range(1)] = 1024
    inference_k: Annotated[
        int | None, Option("topk: active features per row after training; default: as in training.", "--inference-l0")
    ] = None
    centre: Annotated[
        Centre,
        Option("none, mean or whiten: how vectors are transformed for training; afterwards folded into the weights."),
    ] = "none"  # whiten: in the whitened space, directions have unit length and the k largest are chosen
    learning_rate: Annotated[
        float | None,
        Option("Peak learning rate; default: 2e-4 / sqrt(F / 2^14) times the variant's rate."),
        Range(0, above=True),
    ] = None
    warmup: Annotated[float, Range(0, 1)] = 0.03
    decay: Annotated[float, Range(0, 1)] = 0.25  # the rate falls linearly to zero over this last part
    penalty: Annotated[
        float | None, Option("A fixed coefficient of the penalty, instead of one adjusted to --l0."), Range(0)
    ] = None
    anneal: tuple[float, float] = (0.25, 0.9)  # where p falls, in ten steps
    bandwidth: Annotated[float, Range(0, above=True)] = 0.3  # jumprelu: window around theta, in deviations of z
    nested: Fractions = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)  # matryoshka: prefixes that reconstruct alone
    aux_alpha: Annotated[float, Range(0)] = 1 / 32  # weight of the auxiliary loss for dead features (Gao et al.)
    dead_after: Annotated[float, Range(0, above=True)] = 0.02  # steps without firing; below 1: a fraction of all steps
    resample_every: Annotated[
        float | None,
        Option("Restart dead features each time this fraction of training has passed, until 0.75 of it."),
        Range(0, 1, above=True),
    ] = None
    scoring: Annotated[
        Scoring, Option("float32, or bfloat16 with the candidates re-scored exactly (topk); the codes are the same.")
    ] = "float32"
    early_stop: Annotated[
        int | None,
        Option("Stop after this many measurements (each 1/20 of training) without gain; needs --held-out."),
        Range(1),
    ] = None
    held_out: Annotated[float, Option("Fraction of the rows held out to measure FVU."), Range(0, 1, below=True)] = 0.0
    device: Annotated[str, Option("cpu, cuda, cuda:1, mps or xpu.")] = "cpu"
    seed: Annotated[Seed, Option("Same seed, same weights.")] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        kind = self.kind
        for name, count in (("l0", self.l0), ("inference k", self.inference_k)):
            if count is not None and not 0 < count <= self.features:
                raise InputError(f"{name} = {count:g} is not between 1 and features = {self.features}")
        if kind.architecture == "topk" and self.l0 != int(self.l0):
            raise InputError(
                f"topk keeps a whole number of features, not {self.l0:g}; batchtopk keeps {self.l0:g} on average"
            )
        for name, choices in (("centre", get_args(Centre)), ("scoring", get_args(Scoring))):
            if getattr(self, name) not in choices:
                raise InputError(f"{name} {getattr(self, name)!r} is unknown; choose {', '.join(choices)}")
        if self.early_stop is not None and not self.held_out:
            raise InputError("early_stop measures held-out rows: give held_out between 0 and 1")
        if kind.architecture != "topk" and (self.inference_k is not None or self.scoring != "float32"):
            field = "inference l0" if self.inference_k is not None else "scoring bfloat16"
            raise InputError(f"{field} is for topk variants, not for {self.variant}")
        if self.penalty is not None and kind.penalty == "none":
            raise InputError(f"{self.variant} has no penalty: its l0 decides how many features are active")
        if not (len(self.anneal) == 2 and 0 <= self.anneal[0] <= self.anneal[1] <= 1):
            raise InputError(f"anneal {self.anneal}: give the fractions of training where p starts and stops falling")
        check_device_name(self.device)
        prefixes = list(self.nested)
        if kind.nested and (prefixes != sorted(set(prefixes)) or prefixes[-1] != 1 or prefixes[0] <= 0):
            raise InputError("nested: give growing fractions of the features; the last must be 1")

    @property
    def kind(self) -> Variant:
        """The row of the variants' table."""
        return variant(self.variant)

    @property
    def k(self) -> int:
        """Active features per row in training, if the architecture fixes their number."""
        return int(self.l0)

    @property
    def used_k(self) -> int:
        """Active features per row at inference (topk)."""
        return self.inference_k or self.k

    @property
    def rate(self) -> float:
        """The peak learning rate."""
        return self.learning_rate or self.kind.rate * 2e-4 / math.sqrt(self.features / 2**14)

    def schedule(self, done: float) -> float:
        """The factor on the learning rate when a fraction `done` of the training is complete."""
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
    held_out: float = 0.02  # fraction of the documents; a document is held out with its sentences and views

    def configs(self) -> list[SaeConfig]:
        """One per cell, in the order of the table."""
        same = {"epochs": self.epochs, "batch_size": self.batch_size, "centre": self.centre, "device": self.device}
        return [
            SaeConfig(features, l0, variant, seed=self.seed, **same)  # type: ignore[arg-type]
            for features in self.features
            for variant in self.variants
            for l0 in self.l0
        ]
