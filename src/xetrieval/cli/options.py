"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from ..configs import Option, Range, Seed
from ..errors import InputError
from ..registry import CORPUS_FILES
from .console import print_message

if TYPE_CHECKING:
    from ..encoders import Encoder
    from ..explain import Explainer


class Format(StrEnum):
    """How results are printed."""

    text = "text"
    json = "json"


CORPORA: Final = f"BEIR folders, .jsonl, {', '.join(CORPUS_FILES)}, or folders of text, Markdown and HTML files"
CorporaArgument = Annotated[list[Path], typer.Argument(metavar="CORPUS...", help=f"{CORPORA}.")]
ExplainerOption = Annotated[str, Option("minilm (shipped), or the folder of another explainer.", "-x")]
SeedOption = Annotated[Seed, Option("Same seed, same samples.")]
EncoderOption = Annotated[str | None, Option("A different copy of the explainer's encoder; must be the same model.")]
TopOption = Annotated[
    int | None,
    Option("Show this many features and sum the others. Default: show those that carry a tenth or more.", "-n"),
    Range(0),
]


class ReportFormat(StrEnum):
    """How an explanation is printed or written."""

    text = "text"
    json = "json"
    html = "html"
    markdown = "markdown"
    release = "release"


FORMATS = Option(
    "text, json, markdown (to paste into an issue), html (one page that needs no network), or release (field "
    "names of the paper's release)."
)
ReportFormatOption = Annotated[ReportFormat, FORMATS]
FormatOption = Annotated[Format, Option("text or json.")]
CacheOption = Annotated[Path | None, Option("Folder for encoded texts (default: the user's cache folder).")]


PriceOption = Annotated[
    float | None, Option("Price per million tokens of a paid endpoint, to show the cost."), Range(0, 1e9)
]


def print_sending(encoder: Encoder, texts: Iterable[str], price: float | None) -> None:
    """Print what a job will send, if its encoder is an endpoint."""
    from ..encoders import to_send

    sending = to_send(encoder, texts)
    if sending is not None:
        print_message(sending.sentence(price))
    elif price is not None:
        print_message("--price has no effect: the encoder is not a paid endpoint")


def open_explainer(source: str, encoder: str | None, cache: Path | Literal[False] | None) -> Explainer:
    """The explainer that the options name."""
    from ..explain import load

    return load(source, encoder=encoder, cache=cache_of(cache))


def cache_of(cache: Path | Literal[False] | None) -> Path | bool:
    """Where encoded texts are kept: a folder; True: the user's cache folder; False: nowhere."""
    if isinstance(cache, Path) and cache.exists() and not cache.is_dir():
        raise InputError(f"--cache {cache}: not a folder")
    return True if cache is None else cache


def named_encoder(source: str, precision: str = "float32") -> Encoder:
    """Open the encoder that `--encoder` names, and print notes about it."""
    from ..encoders import encoder_notes, open_encoder

    opened = open_encoder(source, precision=precision)  # type: ignore[arg-type]  # already checked
    print_encoder_notes(encoder_notes(opened))
    return opened


def print_encoder_notes(notes: Sequence[str]) -> None:
    """Print notes about the encoder in use on standard error."""
    for note in notes:
        print_message(f"encoder: {note}")
