"""A query log: which documents people clicked for which query."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from .lines import Line, each, read_json_lines
from .skipped import Skipped, usable


def read_clicks(path: Path, skipped: Skipped | None = None) -> tuple[list[str], list[dict[str, int]]]:
    """Queries in the order of their first line, and {document id: clicks} of each.

    Args:
        skipped: takes what cannot be used.
    Raises:
        InputError: a line without query or doc_id, or whose clicks are not a count.
    """
    clicked: dict[str, dict[str, int]] = {}
    for query, document, clicks in usable(each(read_json_lines(path, nan="null"), click_of), skipped):
        of_query = clicked.setdefault(query, {})
        of_query[document] = of_query.get(document, 0) + clicks
    if not clicked:
        raise InputError(f"{path}: no clicks in it")
    return list(clicked), list(clicked.values())


def click_of(line: Line) -> tuple[str, str, int]:
    """Query, document id and number of clicks of a line."""
    query, clicks = line.text("query"), line.record.get("clicks", 1)
    document = line.identifier(line.record.get("doc_id"), "field 'doc_id' is missing or not text")
    whole = isinstance(clicks, int | float) and not isinstance(clicks, bool) and clicks == int(clicks)
    if not whole or not 0 <= clicks < 1 << 53:
        raise line.bad(f"field 'clicks' is not a count but {str(clicks)[:40]!r}")
    return query.strip(), document, int(clicks)
