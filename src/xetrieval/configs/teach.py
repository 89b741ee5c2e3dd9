"""How a language model is asked for texts about documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from ..errors import InputError
from .option import CONCURRENCY, RETRIES, Option

CUT_SEARCH: Final = 200  # characters before the limit in which a space is looked for


@dataclass(frozen=True)
class TeachConfig:
    """How much of a document the model reads, and how it is asked."""

    characters: Annotated[int, Option("How many characters of a document the model reads.")] = 8000
    retries: Annotated[int, RETRIES] = 2
    concurrency: Annotated[int, CONCURRENCY] = 8

    def __post_init__(self) -> None:
        if self.characters < CUT_SEARCH or self.retries < 0 or self.concurrency < 1:
            raise InputError(f"teach: characters must be >= {CUT_SEARCH}, retries >= 0, concurrency >= 1")
