"""A query log: which documents people took for which query."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from .lines import BadLine, read_json_lines


def read_clicks(path: Path) -> tuple[list[str], list[dict[str, int]]]:
    """Queries in the order of their first line, and {document id: clicks} of each.

    Raises:
        InputError: a line without query or doc_id, or whose clicks are no count.
    """
    clicked: dict[str, dict[str, int]] = {}
    for line in read_json_lines(path):
        if isinstance(line, BadLine):
            raise line.error()
        query, document, clicks = line.text("query"), line.record.get("doc_id"), line.record.get("clicks", 1)
        if isinstance(query, BadLine):
            raise query.error()
        if isinstance(document, bool) or not isinstance(document, str | int):
            raise line.bad("field 'doc_id' is missing or not text").error()
        if isinstance(clicks, bool) or not isinstance(clicks, int) or clicks < 0:
            raise line.bad(f"field 'clicks' is not a count but {clicks!r}").error()
        of_query = clicked.setdefault(query.strip(), {})
        of_query[str(document)] = of_query.get(str(document), 0) + clicks
    if not clicked:
        raise InputError(f"{path}: no clicks in it")
    return list(clicked), list(clicked.values())
