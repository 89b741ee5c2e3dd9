"""Scores of labels as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ...text import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..planted import PlantedScore
    from .run import LabelScores


def score_parts(planted: Sequence[PlantedScore], scored: LabelScores) -> Iterator[RenderableType]:
    """The judge's accuracy on cases with known answers, and the scores of the labels."""
    yield f"judge {printable(scored.judge)}"
    own = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("the judge's own", "silent texts", "value", "95 %", "chance", "over"):
        own.add_column(name, justify="left" if name in ("the judge's own", "silent texts") else "right", no_wrap=True)
    for r in planted:
        bounds = _interval(r.ci)
        value = "no answer" if r.value is None else f"{r.value:.3f}"
        own.add_row(r.kind, r.negatives, value, bounds, f"{r.chance:g}", f"{r.texts} texts")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("score", "silent texts", "value", "95 %", "chance", "shuffled", "over"):
        table.add_column(name, justify="left" if name in ("score", "silent texts") else "right", no_wrap=True)
    for s in scored.summary():
        wrong = "" if s.shuffled_labels is None else f"{s.shuffled_labels:.3f}"
        bounds, over = _interval(s.mean_ci), f"{s.features:,} features"
        table.add_row(s.kind, s.negatives, f"{s.mean:.3f}", bounds, f"{s.chance:g}", wrong, over)
    yield own
    yield ""
    yield table
    if scored.failed:
        yield Text(f"{scored.failed:,} questions without a usable answer are left out", "yellow")


def _interval(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:.3f} to {bounds[1]:.3f}"
