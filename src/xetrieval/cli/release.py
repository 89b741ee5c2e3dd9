"""xetrieval import-release: convert the paper's files to an explainer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .console import print_message
from .options import named_encoder


def import_release(
    sae: Annotated[Path, typer.Option("--sae", help="The release's sae_model.pt.")],
    internalizers: Annotated[
        Path,
        typer.Option("--internalizers", help="Folder of model_qa.pt, model_summary.pt, model_purpose.pt."),
    ],
    encoder: Annotated[str, typer.Option("--encoder", help="The encoder they were made for: name or folder.")],
    output: Annotated[Path, typer.Option("--output", help="The new explainer's folder.")],
    labels: Annotated[
        Path | None, typer.Option("--labels", help="Text file; line i is the label of feature i.")
    ] = None,
) -> None:
    """Make an explainer from the files that the paper released."""
    from ..release import import_release as join

    explainer = join(sae, internalizers, named_encoder(encoder), labels, name=output.name)
    explainer.save(output)
    print_message(f"explainer of {explainer.sae.features} features in {output}")
