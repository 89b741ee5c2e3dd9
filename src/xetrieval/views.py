"""The views of a document, by their names.

`original` is the encoder's own vector. Every other view is what an internalizer makes of it: the embedding that a text
written about the document in some aspect would have had. The paper's aspects are a question-answer list, a summary and
a statement of purpose; other names may be added.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from .errors import InputError

View = str

ORIGINAL: Final[View] = "original"
ASPECTS: Final[tuple[View, ...]] = ("qa", "summary", "purpose")
VIEWS: Final[tuple[View, ...]] = (ORIGINAL, *ASPECTS)
NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")
RESERVED: Final = frozenset(
    {ORIGINAL, "id", "_id", "text", "title", "body", "metadata", "thread", "teacher", "prompts", "failed", "cut"}
    | {"postings", "states", "words"}  # files of an index
)


def check_aspect(name: str, where: str) -> View:
    """`name`, if an aspect may have it.

    Raises:
        InputError: it may not; `where` begins the message.
    """
    if not NAME.fullmatch(name) or name in RESERVED:
        raise InputError(
            f"{where}: {name!r} cannot name a view; use lowercase letters, digits, _ or -, and none of "
            f"{', '.join(sorted(RESERVED))}"
        )
    return name


def in_order(aspects: Iterable[View]) -> tuple[View, ...]:
    """The paper's aspects first, in the paper's order, then the others by name."""
    given = set(aspects)
    return (*(a for a in ASPECTS if a in given), *sorted(given - set(ASPECTS)))
