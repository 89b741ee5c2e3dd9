"""How internalizers are trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from ..errors import InputError
from ..records import Settings
from .option import Checked, Option, Range, Seed

Form = Literal["paper", "residual"]
FORMS: Final[tuple[Form, ...]] = ("paper", "residual")


@dataclass(frozen=True)
class InternalizerConfig(Settings, Checked):
    """The paper's protocol; the form is our addition."""

    form: Annotated[Form, Option("residual, or paper (the paper's form).")] = "residual"
    hidden: Annotated[int, Option("h, the size of the hidden layer."), Range(1)] = 512
    learning_rate: float = 5e-4
    batch_size: int = 128
    epochs: Annotated[int, Option("At most this many passes over the pairs."), Range(1)] = 100
    patience: Annotated[int, Option("Stop after this many passes without a gain."), Range(1)] = 5
    validation: Annotated[float, Range(0, 1, above=True, below=True)] = 0.15
    seed: Annotated[Seed, Option("Same seed, same networks.")] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.form not in FORMS:
            raise InputError(f"internalizer form {self.form!r} is unknown; choose one of {', '.join(FORMS)}")
