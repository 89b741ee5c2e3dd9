"""Error messages as a server sends them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ..index import Index


def plain(message: str, indexes: Mapping[str, Index], request: str = "") -> str:
    """An error message without this machine's paths, unless the request itself contains them."""
    for name, index in indexes.items():
        path = str(index.folder)
        if len(Path(path).parts) > 1:  # a bare name reveals nothing, and may be part of other words
            shown = f"index {name}".replace("\\", "\\\\")
            message = re.sub(rf"(?<![\w./-]){re.escape(path)}(?![\w~+-])", shown, message)

    def hidden(found: re.Match[str]) -> str:
        return found.group() if found.group() in request else "(a path of the server)"

    return re.sub(r"(?<![\w.@~+-])(?:/[\w.@~+-]+){2,}/?", hidden, message)
