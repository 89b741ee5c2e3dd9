"""The base of explanations and contrasts: how they print themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..records import Record

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .contrast import Contrast
    from .explanation import Explanation


class PrintsItself(Record):
    """A table in a terminal, the same table as plain text, and HTML in a notebook."""

    def __str__(self: Explanation | Contrast) -> str:  # type: ignore[misc]
        from ..render.text import plain_text

        return plain_text(self)

    def __rich__(self: Explanation | Contrast) -> RenderableType:  # type: ignore[misc]
        from ..render.text import table_of

        return table_of(self)

    def _repr_html_(self: Explanation | Contrast) -> str:  # type: ignore[misc]
        from ..render.html import fragment_of

        return fragment_of(self)
