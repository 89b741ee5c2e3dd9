"""xetrieval info: describe an explainer."""

from __future__ import annotations

from typing import Annotated

import typer

from .console import output_console, print_json
from .options import Format, FormatOption


def info(
    source: Annotated[str, typer.Argument(metavar="EXPLAINER", help="Folder of an explainer, or minilm.")] = "minilm",
    format: FormatOption = Format.text,
) -> None:
    """Show an explainer: its encoder, features, labels, data and figures."""
    from ..explain import load

    explainer = load(source)
    named = sum(feature.label is not None for feature in explainer.features)
    facts = {
        "name": explainer.name,
        "encoder": explainer.encoder_identity.to_dict(),
        "features": explainer.sae.features,
        "k": explainer.sae.k,
        "dimension": explainer.sae.dimension,
        "named": named,
        "views": list(explainer.views),
        "internalizers": {aspect: net.form for aspect, net in explainer.internalizers.items()},
        "provenance": dict(explainer.provenance),
        "metrics": dict(explainer.metrics),
    }
    if format is Format.json:
        print_json(facts)
        return
    from rich.markdown import Markdown

    from ..explain.card import model_card

    output_console().print(Markdown(model_card(explainer), hyperlinks=False))
