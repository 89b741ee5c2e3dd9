"""What keeps files beside an index: search engines, and search modes with files of their own."""

from __future__ import annotations

from ...registry import SEARCH_ENGINES, SEARCH_MODES
from .mode import Companion, mode_class
from .nearest import engine


def companions() -> list[type[Companion]]:
    """All that may have left files beside an index."""
    return [*(type(engine(name)) for name in SEARCH_ENGINES), *(mode_class(name) for name in SEARCH_MODES)]
