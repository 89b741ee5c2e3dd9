"""The search engines and modes that store files beside an index."""

from __future__ import annotations

from ...registry import SEARCH_ENGINES, SEARCH_MODES
from .mode import Companion, mode_class
from .nearest import engine


def companions() -> list[type[Companion]]:
    """Everything that may have stored files beside an index."""
    return [*(type(engine(name)) for name in SEARCH_ENGINES), *(mode_class(name) for name in SEARCH_MODES)]
