"""xetrieval import-release: convert the paper's files to an explainer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..configs import Option
from .console import print_message
from .options import named_encoder


def import_release(
    sae: Annotated[Path, Option("The release's sae_model.pt.")],
    internalizers: Annotated[Path, Option("Folder of model_qa.pt, model_summary.pt, model_purpose.pt.")],
    encoder: Annotated[str, Option("The encoder they were made for: name or folder.")],
    output: Annotated[Path, Option("The new explainer's folder.")],
    labels: Annotated[Path | None, Option("Text file; line i is the label of feature i.")] = None,
) -> None:
    """Make an explainer from the files that the paper released."""
    from ..release import import_release as join

    explainer = join(sae, internalizers, named_encoder(encoder), labels, name=output.name)
    explainer.save(output)
    print_message(f"explainer of {explainer.sae.features} features in {output}")
