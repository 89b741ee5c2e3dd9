"""How documents are cut into chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from ..errors import InputError
from ..records import Settings
from .option import Option

FEWEST_TOKENS: Final = 16


@dataclass(frozen=True)
class ChunkConfig(Settings):
    """How documents longer than the encoder reads are cut.

    Args:
        tokens: the most tokens in a chunk, including its title; None: the encoder's limit.
        overlap: how many sentences of the previous chunk are repeated.
        whole: do not cut documents.
    """

    tokens: Annotated[
        int | None,
        Option("Cut documents into chunks of at most this many tokens; default: the encoder's limit.",
               "--chunk-tokens", "TOKENS"),
    ] = None  # fmt: skip
    overlap: Annotated[
        int, Option("How many sentences of the previous chunk each chunk repeats.", "--chunk-overlap", "SENTENCES")
    ] = 0
    whole: Annotated[
        bool, Option("Do not cut documents; tokens past the encoder's limit are only counted.", "--no-chunks")
    ] = False

    def __post_init__(self) -> None:
        if self.tokens is not None and (type(self.tokens) is not int or self.tokens < FEWEST_TOKENS):
            raise InputError(f"chunks of {self.tokens!r:.40} tokens: give a whole number of at least {FEWEST_TOKENS}")
        if type(self.overlap) is not int or self.overlap < 0:
            raise InputError(f"an overlap of {self.overlap!r:.40} sentences: give a whole number, 0 or more")
