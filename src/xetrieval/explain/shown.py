"""What an explanation, a contrast and a breakdown have in common: they print themselves."""

from __future__ import annotations

from typing import Any


class Shown:
    """A table in a terminal, the same as plain text, and as HTML in a notebook."""

    def __str__(self: Any) -> str:
        from ..render.terminal import plain_text

        return plain_text(self)

    def __repr__(self: Any) -> str:
        said = f"score={self.score:+.4f}, " if hasattr(self, "score") else f"difference={self.difference:+.4f}, "
        parts = len(self.features if hasattr(self, "features") else self.parts)
        return f"{type(self).__name__}({said}{parts} parts{_of(self)})"

    def __rich__(self: Any) -> Any:
        from ..render.terminal import table_of

        return table_of(self)

    def _repr_html_(self: Any) -> str:
        from ..render.html import fragment_of

        return fragment_of(self)


def _of(shown: Any) -> str:
    from ..render.terminal import shorten

    names = [("doc_id", getattr(shown, "doc_id", "")), ("query", getattr(shown, "query", ""))]
    return "".join(f", {name}={shorten(text, 40)!r}" for name, text in names if text)
