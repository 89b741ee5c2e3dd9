"""A breakdown as aligned lines with bars."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .breakdown import Breakdown
from .explanation import DEFAULT_TOP
from .terminal import BAR, bar, printable


def breakdown_table(breakdown: Breakdown, top: int | None = DEFAULT_TOP) -> RenderableType:
    """The table of one breakdown: the lines add up to the score."""
    rows = breakdown_rows(breakdown, top)
    longest = max((abs(share) for _, _, share, _ in rows), default=0.0) or 1.0
    colours = {"feature": "green", "word": "cyan", "bias": "blue", "remainder": "yellow"}
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("part", no_wrap=True, overflow="ellipsis", max_width=40)
    table.add_column("by", no_wrap=True, overflow="ellipsis", max_width=24)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, min_width=BAR)
    for name, by, share, kind in rows:
        style = "red" if share < 0 else colours[kind]
        table.add_row(
            Text(printable(name)), Text(by, "dim"), Text(f"{share:+.4f}", style), Text(bar(share / longest), style)
        )
    table.add_row("", "", Text("─" * 7, "dim"), "")
    table.add_row(Text("score", "bold"), "", Text(f"{breakdown.score:+.4f}", "bold"), "")
    return Group(table, *([Text(breakdown.note, "dim")] if breakdown.note else []))


def breakdown_rows(breakdown: Breakdown, top: int | None) -> list[tuple[str, str, float, str]]:
    """(name, by, share, kind) of the shown parts, the others, and bias and remainder where there are any."""
    shown, others = breakdown.top(top)
    rows: list[tuple[str, str, float, str]] = [(p.name, _by(p.detail), p.share, p.kind) for p in shown]
    if others:
        rows.append((f"{len(others)} more", "", sum(part.share for part in others), "feature"))
    if breakdown.bias or breakdown.remainder:
        rows.append(("bias (any document of this kind)", "", breakdown.bias, "bias"))
        rows.append(("remainder (not explained)", "", breakdown.remainder, "remainder"))
    return rows


def _by(detail: Mapping[str, float]) -> str:
    return " ".join(f"{name} {value:.2f}" for name, value in detail.items())
