"""A result as Markdown, for pasting into an issue. Every text in it is escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from ..explain.contrast import Contrast
from ..explain.explanation import Explanation
from ..text import printable, shorten
from .rows import evidence_lines, rows_of, with_sides


def markdown(result: Explanation | Contrast, top: int | None = None, notes: Sequence[str] = ()) -> str:
    """The texts, the table, the notes and the words behind each row."""
    rows = rows_of(result, top)
    lines = [f"**{rows.title}**", ""]
    lines += [f"> {name}: {literal(shorten(text, 400))}" + "\n>" for name, text in rows.texts if text]
    figures = ["---:"] * (len(rows.columns) - 2)
    beside = [rows.words_column] if rows.words_column else []
    where = [name for name in rows.columns[1:2] if name]
    lines += ["", _cells([rows.columns[0], *beside, *where, *rows.columns[2:]])]
    lines += [_cells(["---", *("---" for _ in (*beside, *where)), *figures])]
    for row in rows.rows:
        cells = [row.name, *(row.words for _ in beside), *(row.note for _ in where)]
        lines.append(_cells([*map(literal, cells), *_figures(row.values)]))
    scores = (f"**{figure}**" for figure in _figures(rows.score.values))
    words = [literal(rows.score.words) for _ in beside]
    lines.append(_cells(["**score**", *words, *("" for _ in where), *scores]))
    summary = [rows.summary] if rows.summary else []
    lines += [
        "",
        *(f"- {literal(printable(note))}" for note in (*summary, *notes, *rows.notes, *rows.marks, *rows.unread)),
    ]
    for row in with_sides(rows.rows):
        lines += ["", f"**{literal(row.name)}** {row.value:+.4f}", ""]
        lines += [
            f"- {side.name}: {share} {literal(text)}" for side in row.sides for share, text in evidence_lines(side)
        ]
    lines += ["", f"<sub>{literal(rows.source)}</sub>"]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def literal(text: str) -> str:
    """`text` with the characters escaped that Markdown or HTML would act on."""
    return re.sub(r"([\\`*_{}\[\]()#+!|~@-])", r"\\\1", escape(text, quote=False))


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _figures(values: Sequence[float]) -> list[str]:
    return [f"{value:+.4f}" for value in values]
