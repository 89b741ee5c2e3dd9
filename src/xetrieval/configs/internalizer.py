"""How internalizers are trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from ..errors import InputError
from ..records import Settings
from .option import Option, check_seed

Form = Literal["paper", "residual"]
FORMS: Final[tuple[Form, ...]] = ("paper", "residual")


@dataclass(frozen=True)
class InternalizerConfig(Settings):
    """The paper's protocol; the form is our addition."""

    form: Annotated[Form, Option("residual, or paper (the paper's form).")] = "residual"
    hidden: Annotated[int, Option("h, the size of the hidden layer.")] = 512
    learning_rate: float = 5e-4
    batch_size: int = 128
    epochs: Annotated[int, Option("At most this many passes over the pairs.")] = 100
    patience: Annotated[int, Option("Stop after this many passes without a gain.")] = 5
    validation: float = 0.15
    seed: Annotated[int, Option("Same seed, same networks.")] = 0

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise InputError(f"internalizer form {self.form!r} is unknown; choose one of {', '.join(FORMS)}")
        number = isinstance(self.validation, int | float) and not isinstance(self.validation, bool)
        if not number or not 0 < self.validation < 1:  # written so that NaN fails
            raise InputError(f"internalizer validation {self.validation!r:.40}: give a fraction between 0 and 1")
        check_seed(self.seed)
        if min(self.hidden, self.epochs, self.patience) < 1:
            raise InputError("internalizer: hidden, epochs and patience must be at least 1")
