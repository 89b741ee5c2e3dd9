"""xetrieval info: what an explainer is."""

from __future__ import annotations

from typing import Annotated

import typer

from .console import give_json, output_console
from .options import Format, FormatOption


def info(
    source: Annotated[str, typer.Argument(metavar="DIR", help="minilm, or the folder of an explainer.")] = "minilm",
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
        give_json(facts)
        return
    from rich.markdown import Markdown

    from ..explain.card import model_card

    output_console().print(Markdown(model_card(explainer), hyperlinks=False))
