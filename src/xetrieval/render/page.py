"""An explanation or a contrast as one HTML file: no script, no network, for screen and paper, light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from ..explain.breakdown import Breakdown
from ..explain.contrast import Contrast
from ..explain.explanation import DEFAULT_TOP, Explanation
from .breakdown_table import breakdown_rows
from .html import COLOURS, breakdown_fragment, contrast_fragment, fragment, letters
from .terminal import others_line, printable

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
LEAST_NAMED: Final = 0.08  # of the strip's width; narrower parts have their name as a tooltip alone
STYLE: Final = """
:root{color-scheme:light dark}
body{margin:0;font:15px/1.55 system-ui,sans-serif;background:Canvas;color:CanvasText}
main{max-width:60rem;margin:2rem auto;padding:0 1.2rem}
h1{font-size:1.45rem;font-weight:600;margin:0 0 1rem}
h2{font-size:1rem;font-weight:600;margin:1.6rem 0 .4rem}
.texts{display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));gap:.8rem}
.text{border:1px solid color-mix(in srgb,CanvasText 18%,transparent);border-radius:.5rem;padding:.6rem .8rem;
max-height:16rem;overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere}
.text b{display:block;font-size:.75rem;opacity:.65;font-weight:600}
.strip{display:flex;height:1.9rem;margin:.15rem 0;gap:1px}
.strip div{overflow:hidden;white-space:nowrap;text-overflow:ellipsis;color:#fff;font-size:.75rem;line-height:1.9rem;
padding-left:.4em;box-sizing:border-box;min-width:2px;border-radius:2px}
.strip .thin{padding:0}
.sum{font-variant-numeric:tabular-nums;opacity:.75;font-size:.85rem}
.wide{overflow-x:auto}
table{font-variant-numeric:tabular-nums}
td,th{padding:.12rem .5rem .12rem 0}
summary{cursor:pointer;font-weight:600;margin-top:.5rem}
footer{margin:2rem 0;font-size:.8rem;opacity:.65}
@media print{main{max-width:none;margin:0}.text{max-height:none}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""


def page(shown: Explanation | Contrast | Breakdown, top: int | None = DEFAULT_TOP, notes: Sequence[str] = ()) -> str:
    """The whole file, with `notes` under its title. Every text in it is escaped."""
    if isinstance(shown, Contrast):
        title, body = _contrast(shown, top)
    elif isinstance(shown, Breakdown):
        title, body = _breakdown(shown, top)
    else:
        title, body = _explanation(shown, top)
    made = f"ranked by {shown.mode}" if isinstance(shown, Breakdown) else _made(shown)
    said = "".join(f"<p>{escape(printable(note))}</p>" for note in notes)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{STYLE}</style></head>\n'
        f"<body><main><h1>{title}</h1>{said}{body}<footer>{escape(made)}</footer></main></body></html>\n"
    )


def _explanation(explanation: Explanation, top: int | None) -> tuple[str, str]:
    shown, others = explanation.top(top)
    parts = [(f.name, f.share, "feature") for f in shown]
    if others:
        parts.append((others_line(len(others)), sum(f.share for f in others), "feature"))
    parts += [("bias", explanation.bias, "bias"), ("remainder", explanation.remainder, "remainder")]
    texts = _texts(("query", explanation.query), ("document", explanation.document))
    return (
        f"Why this document scores {explanation.score:+.4f}{' when steered' if explanation.steered else ''}",
        f"{texts}<h2>The score</h2>{_strip(parts)}"
        f'<h2>Its parts</h2><div class="wide">{fragment(explanation, top, opened=True)}</div>',
    )


def _made(shown: Explanation | Contrast) -> str:
    return f"explainer {printable(shown.explainer)}, encoder {printable(shown.encoder)}"


def _breakdown(breakdown: Breakdown, top: int | None) -> tuple[str, str]:
    rows = breakdown_rows(breakdown, top)
    texts = _texts(("query", breakdown.query), ("document", breakdown.document))
    parts = [(name, share, "bias" if kind == "word" else kind) for name, _, share, kind in rows]
    return (
        f"Why this document scores {breakdown.score:+.4f}",
        f"{texts}<h2>The score</h2>{_strip(parts)}"
        f'<h2>Its parts</h2><div class="wide">{breakdown_fragment(breakdown, top)}</div>',
    )


def _contrast(contrast: Contrast, top: int | None) -> tuple[str, str]:
    shown, others = contrast.top(top)
    parts = [(f.name, f.difference, "feature") for f in shown]
    if others:
        parts.append((others_line(len(others)), sum(f.difference for f in others), "feature"))
    parts.append(("remainder", contrast.remainder_difference, "remainder"))
    texts = _texts(("query", contrast.query), ("first document", contrast.first), ("second document", contrast.second))
    where = "above" if contrast.difference >= 0 else "below"
    return (
        f"Why the first document scores {abs(contrast.difference):.4f} {where} the second",
        f"{texts}<h2>The difference</h2>{_strip(parts)}"
        f'<h2>Its parts</h2><div class="wide">{contrast_fragment(contrast, top, opened=True)}</div>',
    )


def _texts(*texts: tuple[str, str]) -> str:
    boxes = "".join(f'<div class="text"><b>{name}</b>{letters(text)}</div>' for name, text in texts if text)
    return f'<div class="texts">{boxes}</div>' if boxes else ""


def _strip(parts: list[tuple[str, float, str]]) -> str:
    """What adds, and under it what subtracts, in one scale."""
    adding = [part for part in parts if part[1] > 0]
    taking = [part for part in parts if part[1] < 0]
    plus, minus = sum(p[1] for p in adding), -sum(p[1] for p in taking)
    scale = max(plus, minus) or 1.0
    lines = "".join(_line(line, scale) for line in (adding, taking) if line)
    total = f"{plus:.4f} − {minus:.4f} = {plus - minus:+.4f}"
    return f'{lines}<div class="sum">{total}</div>'


def _line(parts: list[tuple[str, float, str]], scale: float) -> str:
    segments = []
    for name, share, kind in parts:
        width = abs(share) / scale
        colour = COLOURS["negative" if share < 0 else kind]
        named = width >= LEAST_NAMED
        label = escape(printable(name))
        segments.append(
            f'<div{"" if named else " class=thin"} title="{label} {share:+.4f}" '
            f'style="width:{100 * width:.2f}%;background:{colour}">{label if named else ""}</div>'
        )
    return f'<div class="strip">{"".join(segments)}</div>'
