"""A result as one HTML file without scripts or network access, for screen and print, light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from ..explain.contrast import Contrast
from ..explain.explanation import Explanation
from ..text import printable
from .html import fragment, paragraphs, visible
from .rows import Row, rows_of

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
LEAST_NAMED: Final = 0.08  # parts narrower than this fraction of the strip show their name only as a tooltip
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


def page(result: Explanation | Contrast, top: int | None = None, notes: Sequence[str] = ()) -> str:
    """The whole file, with `notes` under its title. Every text in it is escaped."""
    rows = rows_of(result, top)
    what = "difference" if isinstance(result, Contrast) else "score"
    boxes = "".join(f'<div class="text"><b>{name}</b>{visible(text)}</div>' for name, text in rows.texts if text)
    texts = f'<div class="texts">{boxes}</div>' if boxes else ""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{rows.title}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{STYLE}</style></head>\n'
        f"<body><main><h1>{rows.title}</h1>{paragraphs(map(printable, notes))}{texts}"
        f"<h2>The {what}</h2>{_strip(rows.rows)}"
        f'<h2>Its parts</h2><div class="wide">{fragment(rows, unfolded=True)}</div>'
        f"<footer>{escape(rows.source)}</footer></main></body></html>\n"
    )


def _strip(rows: Sequence[Row]) -> str:
    """The parts that add to the score, and below them those that subtract, on the same scale."""
    adding, taking = [row for row in rows if row.value > 0], [row for row in rows if row.value < 0]
    plus, minus = sum(row.value for row in adding), -sum(row.value for row in taking)
    scale = max(plus, minus) or 1.0
    lines = "".join(_line(line, scale) for line in (adding, taking) if line)
    return f'{lines}<div class="sum">{plus:.4f} − {minus:.4f} = {plus - minus:+.4f}</div>'


def _line(rows: Sequence[Row], scale: float) -> str:
    segments = []
    for row in rows:
        width, label = abs(row.value) / scale, escape(row.name)
        named = width >= LEAST_NAMED
        segments.append(
            f'<div{"" if named else " class=thin"} title="{label} {row.value:+.4f}" '
            f'style="width:{100 * width:.2f}%;background:{row.colour.page}">{label if named else ""}</div>'
        )
    return f'<div class="strip">{"".join(segments)}</div>'
