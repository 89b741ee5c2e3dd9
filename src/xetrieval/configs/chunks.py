"""How documents are cut into chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from ..records import Settings
from .option import Checked, Option, Range

FEWEST_TOKENS: Final = 16


@dataclass(frozen=True)
class ChunkConfig(Settings, Checked):
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
        Range(FEWEST_TOKENS),
    ] = None  # fmt: skip
    overlap: Annotated[
        int,
        Option("How many sentences of the previous chunk each chunk repeats.", "--chunk-overlap", "SENTENCES"),
        Range(0),
    ] = 0
    whole: Annotated[
        bool, Option("Do not cut documents; tokens past the encoder's limit are only counted.", "--no-chunks")
    ] = False
