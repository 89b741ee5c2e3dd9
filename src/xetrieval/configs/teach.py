"""How a language model is asked for texts about documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from .option import Checked, Concurrency, Option, Range, Retries

CUT_SEARCH: Final = 200  # characters before the limit in which a space is looked for


@dataclass(frozen=True)
class TeachConfig(Checked):
    """How much of a document the model reads, and how it is asked."""

    characters: Annotated[int, Option("How many characters of a document the model reads."), Range(CUT_SEARCH)] = 8000
    retries: Retries = 2
    concurrency: Concurrency = 8
