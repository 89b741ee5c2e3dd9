"""The model card of an explainer: what it is, what it was made from, how good it is, and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from ..encoders.same import PROBE_FACT

if TYPE_CHECKING:
    from .explainer import Explainer


PRIVATE: Final = "Labels and ids of examples come from these texts; `xetrieval export --without-names` leaves them out."


def model_card(explainer: Explainer) -> str:
    """The card as Markdown; every figure is read from the explainer."""
    identity, sae = explainer.encoder_identity, explainer.sae
    named = sum(feature.label is not None for feature in explainer.features)
    sources = sorted({feature.source for feature in explainer.features if feature.source})
    lines = [
        f"# Explainer `{explainer.name}`",
        "",
        f"Explains the scores of the encoder `{identity.name}` ({identity.dimension} dimensions,",
        f"weights sha256 `{identity.weights_sha256 or 'not visible'}`).",
        "",
        f"- Features: {sae.features}; active in each vector: {sae.form}.",
        f"- Views: {', '.join(explainer.views)}.",
        f"- Labels: {named} of {sae.features} features, by {', '.join(sources) or 'nobody yet'}.",
        "",
        "## Figures",
        "",
        *(_table(explainer.metrics) or ["No figures were measured."]),
        "",
        "## Made from",
        "",
        *(_table({key: fact for key, fact in explainer.provenance.items() if key != PROBE_FACT}) or ["Not recorded."]),
        "",
        "## Limits",
        "",
        "A share says how much of the score lies along a feature's direction, not why the encoder put it there.",
        "Labels are summaries of the texts that activate a feature most; weaker activations may mean something else.",
        *([PRIVATE] if named else []),
        "Texts unlike the ones above are explained less well: look at the remainder, which every explanation shows.",
        "",
    ]
    return "\n".join(lines)


def _table(facts: Mapping[str, Any], prefix: str = "") -> list[str]:
    lines = []
    for key, value in facts.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            lines += _table(value, f"{prefix}{key}: ")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
            lines.append(f"- {name}: {f'{shown:.4g}' if isinstance(shown, float) else shown}")
    return lines
