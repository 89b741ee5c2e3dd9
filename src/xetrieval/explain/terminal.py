"""An explanation as aligned lines with bars. All text in it is data: control characters never reach the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from io import StringIO
from string import ascii_lowercase
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..views import View
from .explanation import Explanation, FeatureShare

DEFAULT_TOP: Final = 8
BAR: Final = 24  # characters of the longest bar
EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
VIEW_LETTERS: Final = {"original": "o", "qa": "q", "summary": "s", "purpose": "p"}


def renderable(explanation: Explanation, top: int | None = DEFAULT_TOP) -> RenderableType:
    """The table of one explanation: the lines add up to the score."""
    shown, others = explanation.top(top)
    letters = view_letters(explanation.per_view)
    rows: list[tuple[str, str, float, str]] = [(printable(f.name), _views(f, letters), f.share, "green") for f in shown]
    if others:
        rows.append((others_line(len(others)), "", sum(f.share for f in others), "green"))
    rows.append(("bias (any document of this kind)", "", explanation.bias, "blue"))
    rows.append(("remainder (not explained)", "", explanation.remainder, "yellow"))
    longest = max(abs(share) for _, _, share, _ in rows) or 1.0

    table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("feature", no_wrap=True, overflow="ellipsis", max_width=46)
    table.add_column("views", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, min_width=BAR)
    for name, views, share, colour in rows:
        style = "red" if share < 0 else colour
        table.add_row(Text(name), Text(views, "dim"), Text(f"{share:+.4f}", style), Text(bar(share / longest), style))
    table.add_row("", "", Text("─" * 7, "dim"), "")
    table.add_row(Text("score", "bold"), "", Text(f"{explanation.score:+.4f}", "bold"), Text(summary(explanation)))
    notes = [Text(note, "yellow") for note in unread_notes(explanation)]
    if named := [f"{letter} {view}" for view, letter in letters.items() if view not in VIEW_LETTERS]:
        notes.append(Text(f"further views: {', '.join(named)}", "dim"))
    return Group(table, *notes)


def plain_text(explanation: Explanation, top: int | None = DEFAULT_TOP, width: int = 100) -> str:
    """The same without colour."""
    console = Console(file=StringIO(), width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(renderable(explanation, top))
    return "\n".join(line.rstrip() for line in capture.get().rstrip().splitlines())


def bar(fraction: float, width: int = BAR) -> str:
    """A bar of eighths for a fraction of the longest one, by absolute value."""
    eighths = round(min(1.0, abs(fraction)) * width * 8)
    return "█" * (eighths // 8) + (EIGHTHS[eighths % 8] if eighths % 8 else "")


def others_line(count: int) -> str:
    """The name of the line that sums the features not shown."""
    return f"{count} more feature{'s' if count > 1 else ''}"


def unread_notes(explanation: Explanation) -> list[str]:
    """A line for each text that the encoder did not read to its end."""
    unread = (("query", explanation.unread_query), ("document", explanation.unread_document))
    return [
        f"the last {count} tokens of the {what} lie past the encoder's limit and had no part in the score"
        for what, count in unread
        if count
    ]


def printable(text: str) -> str:
    """`text` on one line, without control, formatting or direction-changing characters."""
    spaced = "".join(" " if letter in "\t\r\n\v\f" else letter for letter in text)
    kept = "".join(letter for letter in spaced if unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    return " ".join(kept.split())


def view_letters(views: Iterable[View]) -> dict[View, str]:
    """A letter for each view: the usual ones, then the first of the name that is free."""
    letters: dict[View, str] = {}
    for view in views:
        choices = VIEW_LETTERS.get(view, "") + view + ascii_lowercase
        letters[view] = next((c for c in choices if c.isalpha() and c not in letters.values()), "?")
    return letters


def _views(feature: FeatureShare, letters: Mapping[View, str]) -> str:
    return "".join(letter if feature.view_activations.get(view, 0.0) > 0 else "·" for view, letter in letters.items())


def summary(explanation: Explanation) -> str:
    """How much of the score the features account for, in one line."""
    return (
        f"explained {explanation.explained:.0%}, without bias {explanation.explained_without_bias:.0%}"
        if explanation.score
        else "a score of zero has no parts"
    )
