"""xetrieval export: copy an explainer to share it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .console import print_message
from .labelled import LabelledArgument, open_labelled

PRIVATE = "labels, words and ids come from the documents"


def export(
    explainer: LabelledArgument,
    output: Annotated[Path, typer.Option("--output", help="The folder of the copy.")],
    *,
    without_names: Annotated[
        bool,
        typer.Option("--without-names", help="Leave out all that the documents say: labels, ids of examples, sources."),
    ] = False,
) -> None:
    """Copy an explainer, also that of an index, to give it away: without the index, and without names on request."""
    opened = open_labelled(explainer).explainer
    (opened.without_names() if without_names else opened).save(output)
    note = "without names" if without_names else f"{PRIVATE}, so publish it only where these may be known"
    print_message(f"{output}: {opened.sae.features:,} features, {note}")
