"""A result as an HTML fragment for notebooks. Every text in it is escaped; no script, no network."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from html import escape
from typing import Final

from ..explain.contrast import Contrast
from ..explain.explanation import Explanation
from .rows import ESTIMATE, Row, Rows, Side, rows_of, with_sides

STYLE: Final = "font:13px/1.5 system-ui,sans-serif;border-collapse:collapse;color:inherit;background:transparent"


def fragment_of(result: Explanation | Contrast, top: int | None = None) -> str:
    """One table and, below it, the words behind each row, collapsed."""
    return fragment(rows_of(result, top), unfolded=False)


def fragment(rows: Rows, *, unfolded: bool) -> str:
    """The rows with their bars, the score they add up to, notes, and the words behind each row."""
    longest = max((abs(row.value) for row in rows.rows), default=0.0) or 1.0
    beside = [rows.words_column] if rows.words_column else []
    where = [name for name in rows.columns[1:2] if name]
    head = "".join(f"<th>{escape(name)}</th>" for name in ("", *beside, *where, *rows.columns[2:], ""))
    body = "".join(_row(row, abs(row.value) / longest, words=bool(beside), where=bool(where)) for row in rows.rows)
    figures = "".join(_figure(value) for value in rows.score.values)
    gap = "".join(f'<td style="text-align:left">{escape(rows.score.words)}</td>' for _ in beside) + "<td></td>" * len(
        where
    )
    return (
        f'<table style="{STYLE}"><thead><tr>{head}</tr></thead><tbody>{body}'
        f'<tr><th style="text-align:left">score</th>{gap}{figures}<td>{escape(rows.summary)}</td></tr>'
        f"</tbody></table>{paragraphs((*rows.notes, *rows.marks))}{_words(rows, unfolded=unfolded)}"
    )


def paragraphs(notes: Iterable[str]) -> str:
    """Each note as a paragraph."""
    return "".join(f"<p>{escape(note)}</p>" for note in notes)


def visible(text: str) -> str:
    """`text` escaped; control and format characters, except line breaks and tabs, become U+FFFD."""
    return escape("".join(c if c in "\n\t" or unicodedata.category(c)[0] != "C" else "\ufffd" for c in text))


def _row(row: Row, width: float, *, words: bool, where: bool) -> str:
    figures = "".join(_figure(value) for value in row.values)
    bar = f'<div style="background:{row.colour.page};height:.8em;width:{12 * width:.2f}em"></div>'
    beside = f'<td style="text-align:left">{escape(row.words)}</td>' if words else ""
    source = f'<td style="opacity:.6">{escape(row.note)}</td>' if where else ""
    return f'<tr><td style="text-align:left">{escape(row.name)}</td>{beside}{source}{figures}<td>{bar}</td></tr>'


def _figure(value: float) -> str:
    return f'<td style="text-align:right">{value:+.4f}</td>'


def _words(rows: Rows, *, unfolded: bool) -> str:
    """Each row's texts, with the words that carry its share highlighted."""
    grid = "display:grid;grid-template-columns:repeat(auto-fit,minmax(16rem,1fr));gap:0 1rem"
    folds = "".join(
        f"<details{' open' if unfolded else ''}><summary>{escape(row.name)} {row.value:+.4f}</summary>"
        f'<div style="{grid}">{"".join(_marked(side) for side in row.sides)}</div></details>'
        for row in with_sides(rows.rows)
    )
    notes = paragraphs(rows.unread)
    return f'<div style="font:13px/1.6 system-ui,sans-serif">{folds}{notes}</div>' if folds or notes else ""


def _marked(side: Side) -> str:
    """The text, each token (for an estimate, each sentence) highlighted in proportion to its part of the share."""
    exact, text = side.evidence.method == "exact", side.text
    spans = [(t.start, t.end, t.share) for t in (side.evidence.tokens if exact else side.evidence.sentences)]
    deepest = max((abs(share) for _, _, share in spans), default=0.0) or 1.0
    out, end_before = [], 0
    for start, end, share in spans:
        if start < end_before:  # byte-level tokens of one character have the same position
            continue
        rgb = "192,57,43" if share < 0 else "46,139,87"
        out.append(visible(text[end_before:start]))
        out.append(
            f'<span title="{share:+.4f}" style="background:rgba({rgb},{0.7 * abs(share) / deepest:.2f})">'
            f"{visible(text[start:end])}</span>"
        )
        end_before = end
    out.append(f'<span style="opacity:.5">{visible(text[end_before:])}</span>')
    note = "" if exact else f" ({ESTIMATE})"
    return f'<div style="margin:.3em 1em;white-space:pre-wrap"><i>{side.name}{note}</i> {"".join(out)}</div>'
