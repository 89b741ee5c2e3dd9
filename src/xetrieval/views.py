"""The names of a document's views.

`original` is the encoder's own vector. Every other view is predicted from it by an internalizer: the embedding of a
text about one aspect of the document. The paper's aspects are a question-answer list, a summary and a statement of
purpose; other names may be added.
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
    """`name`, if it is a valid name for an aspect.

    Raises:
        InputError: it is not; the message starts with `where`.
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
