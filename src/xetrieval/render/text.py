"""A result as aligned lines with bars, for a terminal. Control characters in texts never reach the terminal."""

from __future__ import annotations

from io import StringIO

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..explain.contrast import Contrast
from ..explain.explanation import Explanation
from .fitted import Column, Fitted, Line, Narrowing
from .rows import Row, Rows, evidence_lines, rows_of, with_sides


def table_of(result: Explanation | Contrast, top: int | None = None) -> RenderableType:
    """The table, whose lines add up to the score."""
    rows = rows_of(result, top)
    name, where, *figures = rows.columns
    beside = [Column(rows.words_column, 56, 40, 26)] if rows.words_column else []
    views = [Column(where, 24)] if where else []
    columns = (Column(name, 46, 22, 22), *beside, *views, *(Column(figure) for figure in figures))
    sums = (Text(f"{value:+.4f}", "bold") for value in rows.score.values)
    words = [_narrowing(rows.score) for _ in beside]
    total = Line((Text("score", "bold"), *words, *("" for _ in views), *sums))
    bar_title = "2nd · 1st" if isinstance(result, Contrast) else ""
    lines = [_line(row, words=bool(beside), views=bool(views)) for row in rows.rows]
    table = Fitted(columns, lines, total, rows.summary, bar_title)
    notes = [Text(note, "yellow") for note in rows.notes]
    notes += [Text(line, "dim") for line in (*rows.legend, *rows.marks)]
    return Group(table, *notes, *_words(rows))


def plain_text(result: Explanation | Contrast, top: int | None = None, width: int = 100) -> str:
    """The table without colour."""
    return without_colour(table_of(result, top), width=width).rstrip()


def without_colour(*parts: RenderableType, width: int = 100) -> str:
    """What a console prints for these parts, as lines of plain text."""
    console = Console(
        file=StringIO(),
        width=width,
        color_system=None,
        force_terminal=False,
        legacy_windows=False,
        markup=False,  # text in brackets is not markup
    )
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def _line(row: Row, *, words: bool, views: bool) -> Line:
    style = row.colour.terminal
    *sides, value = (f"{value:+.4f}" for value in row.values)
    beside = [_narrowing(row)] if words else []
    name = Narrowing((row.name, row.kind)) if row.kind in ("bias", "remainder") else Text(row.name)
    where = [Text(row.short, "dim")] if views else []
    return Line((name, *beside, *where, *sides, Text(value, style)), row.value, style)


def _narrowing(row: Row) -> Narrowing:
    return Narrowing((row.words, *row.fewer_words))


def _words(rows: Rows) -> list[RenderableType]:
    """The sentences and words behind each row, under its name."""
    explained = with_sides(rows.rows)
    if not explained:
        return []
    blocks: list[RenderableType] = [Text(""), Text(rows.words_title, "dim")]
    for row in explained:
        table = Table(box=None, pad_edge=False, show_edge=False, show_header=False)
        table.add_column("side", no_wrap=True, min_width=10)
        table.add_column("share", justify="right", no_wrap=True, min_width=7)
        table.add_column("text", overflow="fold")
        for side in row.sides:
            for i, (share, text) in enumerate(evidence_lines(side)):
                style = "red" if share.startswith("-") else "green" if share.startswith("+") else "dim"
                table.add_row(Text("" if i else f"  {side.name}", "dim"), Text(share, style), Text(text))
        blocks += [Text.assemble((row.name, "bold"), f"  {row.value:+.4f}"), table]
    return [*blocks, *(Text(note, "yellow") for note in rows.unread)]
