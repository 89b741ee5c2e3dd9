"""A table with bars that fits its terminal: first names are cut, then the bar is dropped; figures are never cut.

If any value is negative, bars have a middle line, and negative ones extend to the left of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

BAR: Final = 24  # longest bar, in characters, both directions together
LEAST_BAR: Final = 8
LEAST_NAME: Final = 8
GAP: Final = 2  # between columns
EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


class Column(NamedTuple):
    """One column: left-aligned words, which may be cut, or right-aligned figures, which may not."""

    title: str
    most: int | None = None  # most characters of words; None: figures
    wanted: int = LEAST_NAME  # preferred width of words; the column that exceeds it most is cut first
    beside_bar: int | None = None  # words are not cut below this width to make room for bars; None: not cut at all

    @property
    def words(self) -> bool:
        """Whether it may be cut."""
        return self.most is not None


class Narrowing(NamedTuple):
    """A cell with shorter versions for narrow columns: shows the first of its texts that fits, else the last."""

    texts: tuple[str, ...]

    def __str__(self) -> str:
        return self.texts[0]

    def within(self, width: int) -> str:
        """The text for a column of this width."""
        return next((text for text in self.texts if cell_len(text) <= width), self.texts[-1])


class Line(NamedTuple):
    """One line: a cell for each column, and the value of its bar; None for no bar."""

    cells: tuple[Text | Narrowing | str, ...]
    share: float | None = None
    style: str = "green"


class Fitted:
    """The table.

    Args:
        lines: the parts. total: the line below the rule, if any. note: text beside the total, or below the table.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        lines: Sequence[Line],
        total: Line | None = None,
        note: str = "",
        bar_title: str = "",
        bar: int = BAR,
    ) -> None:
        self.columns, self.lines, self.total, self.note = tuple(columns), tuple(lines), total, note
        self.bar_title, self.bar = bar_title, bar

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        least = max(LEAST_BAR, cell_len(self.bar_title))
        floors = [math.inf if column.beside_bar is None else column.beside_bar for column in self.columns]
        widths = self._cut(self._widths(), options.max_width - GAP - least, floors)
        room = options.max_width - sum(widths) - GAP * len(widths)
        drawn = room >= least
        if not drawn:
            widths = self._cut(self._widths(), options.max_width, [LEAST_NAME] * len(widths))
        if sum(widths) + GAP * (len(widths) - 1) > options.max_width and len(widths) > 1:
            yield from self._stacked(widths, options.max_width)
            return
        beside = bool(self.note) and drawn and cell_len(self.note) <= room
        yield self._table(widths, min(self.bar, room) if drawn else 0, beside=beside)
        if self.note and not beside:
            yield Text(self.note)

    def _cut(self, widths: list[int], room: int, floors: Sequence[float]) -> list[int]:
        """The widths, with words cut until the table fits or all columns are at their floor."""
        while sum(widths) + GAP * (len(widths) - 1) > room:
            wide = [i for i, column in enumerate(self.columns) if column.words and widths[i] > floors[i]]
            if not wide:
                break
            widths[max(wide, key=lambda i: widths[i] - self.columns[i].wanted)] -= 1
        return widths

    def _stacked(self, widths: list[int], room: int) -> Iterator[Text]:
        """Each name on its own line with its figures below, for terminals as narrow as a phone's."""
        for line in (*self.lines, *([self.total] if self.total else [])):
            name = line.cells[0] if isinstance(line.cells[0], Text) else Text(str(line.cells[0]))
            name.truncate(room, overflow="ellipsis")
            yield name
            figures = zip(map(str, line.cells[1:]), widths[1:], strict=True)
            aligned = "  ".join(["", *(cell.rjust(width) for cell, width in figures)])
            # Aligned text that does not fit would be broken inside a figure.
            yield Text(aligned if cell_len(aligned) <= room else "  ".join(filter(None, ["", *aligned.split("  ")])))
        if self.note:
            yield Text(self.note)

    def _widths(self) -> list[int]:
        rows = [*(line.cells for line in self.lines), *([self.total.cells] if self.total else [])]
        out = []
        for place, column in enumerate(self.columns):
            longest = max([cell_len(column.title), *(cell_len(str(cells[place])) for cells in rows)])
            out.append(longest if column.most is None else min(longest, column.most))
        return out

    def _table(self, widths: list[int], bar_width: int, *, beside: bool) -> Table:
        table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim")
        for column, width in zip(self.columns, widths, strict=True):
            side = "left" if column.words or not column.title else "right"
            table.add_column(column.title, justify=side, no_wrap=True, overflow="ellipsis", width=width)  # type: ignore[arg-type]
        if bar_width:
            table.add_column(self.bar_title, no_wrap=True, min_width=bar_width)
        draw = bars([line.share or 0.0 for line in self.lines], bar_width)
        for line, drawn in zip(self.lines, draw, strict=True):
            table.add_row(*_drawn(line.cells, widths), *([Text(drawn, line.style)] if bar_width else []))
        if self.total is not None:
            figures = [not column.words and width >= 6 for column, width in zip(self.columns, widths, strict=True)]
            rules = [Text("─" * 7 if figure else "", "dim") for figure in figures]
            table.add_row(*rules)
            note = [Text(self.note if beside else "")] if bar_width else []
            table.add_row(*_drawn(self.total.cells, widths), *note)
        return table


def _drawn(cells: Sequence[Text | Narrowing | str], widths: Sequence[int]) -> list[Text | str]:
    """The cells as displayed in columns of these widths."""
    pairs = zip(cells, widths, strict=True)
    return [Text(cell.within(width)) if isinstance(cell, Narrowing) else cell for cell, width in pairs]


def bars(shares: Sequence[float], width: int = BAR) -> list[str]:
    """A bar for each share, all on one scale; negative ones extend to the left of a middle line."""
    most, least = max([0.0, *shares]), -min([0.0, *shares])
    if width < 3 or not most + least:
        return [""] * len(shares)
    if not least:
        return [bar(share / most, width) for share in shares]
    left = min(width - 2, math.ceil((width - 1) * least / (most + least))) if most else width - 1
    right = width - 1 - left
    scale = min(left / least, right / most if most else math.inf)
    return [_signed(share * scale, left) for share in shares]


def bar(fraction: float, width: int = BAR) -> str:
    """A bar drawn in eighths of a character, for a fraction of the longest bar, by absolute value."""
    eighths = round(min(1.0, abs(fraction)) * width * 8)
    return "█" * (eighths // 8) + (EIGHTHS[eighths % 8] if eighths % 8 else "")


def _signed(length: float, left: int) -> str:
    if length >= 0:
        whole = max(1, math.ceil(length))
        return f"{'':{left}}│{bar(length / whole, whole)}"
    halves = round(min(left, -length) * 2)  # the only partial block that grows to the left is a half
    return f"{'▐' * (halves % 2) + '█' * (halves // 2):>{left}}│"
