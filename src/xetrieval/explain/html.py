"""An explanation as an HTML fragment for notebooks. Every text in it is escaped; no script, no network."""

from __future__ import annotations

from html import escape
from typing import Final

from .explanation import Explanation
from .terminal import DEFAULT_TOP, others_line, printable, summary, unread_notes

STYLE: Final = "font:13px/1.5 system-ui,sans-serif;border-collapse:collapse;color:inherit;background:transparent"
COLOURS: Final = {"feature": "#2e8b57", "negative": "#c0392b", "bias": "#4a7ebb", "remainder": "#c9a227"}


def fragment(explanation: Explanation, top: int | None = DEFAULT_TOP) -> str:
    """One table: a line and a bar per feature, the bias, the remainder, and the score they add up to."""
    shown, others = explanation.top(top)
    lines = [
        (
            printable(f.name),
            ", ".join(v for v in explanation.per_view if f.view_activations.get(v, 0.0) > 0),
            f.share,
            "feature",
        )
        for f in shown
    ]
    if others:
        lines.append((others_line(len(others)), "", sum(f.share for f in others), "feature"))
    lines.append(("bias", "any document of this kind", explanation.bias, "bias"))
    lines.append(("remainder", "not explained", explanation.remainder, "remainder"))
    longest = max(abs(share) for _, _, share, _ in lines) or 1.0
    rows = "".join(_row(name, note, share, abs(share) / longest, kind) for name, note, share, kind in lines)
    notes = "".join(f"<p>{escape(note)}</p>" for note in unread_notes(explanation))
    return (
        f'<table style="{STYLE}"><tbody>{rows}<tr><th style="text-align:left">score</th><td></td>'
        f'<td style="text-align:right"><b>{explanation.score:+.4f}</b></td>'
        f"<td>{escape(summary(explanation))}</td></tr></tbody></table>{notes}"
    )


def _row(name: str, note: str, share: float, width: float, kind: str) -> str:
    colour = COLOURS["negative" if share < 0 else kind]
    return (
        f'<tr><td style="text-align:left">{escape(name)}</td>'
        f'<td style="opacity:.6">{escape(note)}</td>'
        f'<td style="text-align:right">{share:+.4f}</td>'
        f'<td><div style="background:{colour};height:.8em;width:{12 * width:.2f}em"></div></td></tr>'
    )
