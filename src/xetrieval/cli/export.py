"""xetrieval export: copy an explainer to share it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..configs import Option
from .console import print_message
from .labelled import LabelledArgument, open_labelled

PRIVATE = "labels, words and ids come from the documents"


def export(
    explainer: LabelledArgument,
    output: Annotated[Path, Option("Folder for the copy.")],
    *,
    without_names: Annotated[
        bool, Option("Leave out everything that comes from the documents: labels, example ids, source names.")
    ] = False,
) -> None:
    """Copy an explainer, or that of an index, to share it. The index is left out, and names are too if you like."""
    opened = open_labelled(explainer).explainer
    (opened.without_names() if without_names else opened).save(output)
    note = "without names" if without_names else f"{PRIVATE}, so share it only with those who may see them"
    print_message(f"{output}: {opened.sae.features:,} features, {note}")
