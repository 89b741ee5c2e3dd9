"""A breakdown as aligned lines with bars."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.text import Text

from ..explain.breakdown import Breakdown
from ..explain.explanation import DEFAULT_TOP
from ..explain.fitted import Column, Fitted, Line
from .terminal import printable


def breakdown_table(breakdown: Breakdown, top: int | None = DEFAULT_TOP) -> RenderableType:
    """The table of one breakdown: the lines add up to the score."""
    rows = breakdown_rows(breakdown, top)
    colours = {"feature": "green", "word": "cyan", "bias": "blue", "remainder": "yellow"}
    lines = []
    for name, by, share, kind in rows:
        style = "red" if share < 0 else colours[kind]
        lines.append(Line((Text(printable(name)), Text(by, "dim"), Text(f"{share:+.4f}", style)), share, style))
    total = Line((Text("score", "bold"), "", Text(f"{breakdown.score:+.4f}", "bold")))
    table = Fitted((Column("part", 40), Column("by", 24), Column("share")), lines, total)
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
