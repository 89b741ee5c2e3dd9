"""A Rich console that prints no control characters and no trailing spaces."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any, Final

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderHook, RenderResult
from rich.segment import Segment

UNWANTED: Final = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
DRAWN: Final = {  # replaces line-drawing characters, for consoles that take only ASCII
    **dict.fromkeys("█▉▊▋▌▐", "#"),
    **dict.fromkeys("▍▎▏─−–", "-"),
    "│": "|",
    "·": ".",
    "…": "~",
    "▲": "^",
    "▼": "v",
    "×": "x",
    "↔": "~",
    "•": "*",
}
ASCII: Final = str.maketrans(DRAWN)


def harmless(character: str) -> bool:
    """Whether a terminal just displays the character, rather than acting on it."""
    return unicodedata.category(character) not in UNWANTED


class CleanConsole(Console):
    """Prints everything through `Clean`.

    Args:
        ascii_bars: draw bars and rules in ASCII.
    """

    def __init__(self, width: int | None, *, ascii_bars: bool) -> None:
        super().__init__(width=width, markup=False, emoji=False, highlight=False)
        self.push_render_hook(_Cleaning(ascii_bars=ascii_bars))


class Clean:
    """A renderable without control characters and trailing spaces."""

    def __init__(self, inner: RenderableType, *, ascii_bars: bool) -> None:
        self.inner, self.ascii_bars = inner, ascii_bars

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        line: list[Segment] = []
        for segment in console.render(self.inner, options):
            for number, text in enumerate(segment.text.split("\n")):
                if number:
                    yield from _without_end(line)
                    yield Segment.line()
                    line = []
                shown = text if text.isprintable() else "".join(filter(harmless, text))
                line.append(Segment(shown.translate(ASCII) if self.ascii_bars else shown, segment.style))
        yield from _without_end(line)


class _Cleaning(RenderHook):
    def __init__(self, *, ascii_bars: bool) -> None:
        self.ascii_bars = ascii_bars

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[Any]:
        return [Clean(one, ascii_bars=self.ascii_bars) for one in renderables]


def _without_end(line: list[Segment]) -> Iterator[Segment]:
    while line and not line[-1].text.strip():
        line.pop()
    if line:
        yield from line[:-1]
        yield Segment(line[-1].text.rstrip(), line[-1].style)
