"""Pairs to explain: one JSON object a line with query and doc, and query_id and doc_id if there are any."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .lines import BadLine, Line, read_json_lines


class Pair(NamedTuple):
    """A query and a document, with the ids they go by."""

    query: str
    document: str
    query_id: str
    doc_id: str
    line: int = 0


def read_pairs(path: Path) -> Iterator[Pair | BadLine]:
    """The pairs of a JSON lines file (the release's input format).

    An absent id is made from the line number. The same pair of given ids twice is a bad line.
    """
    seen: dict[tuple[str, str], int] = {}
    for line in read_json_lines(path):
        pair = line if isinstance(line, BadLine) else _pair(line)
        if isinstance(pair, Pair) and isinstance(line, Line) and {"query_id", "doc_id"} <= line.record.keys():
            ids = (pair.query_id, pair.doc_id)
            if ids in seen:
                pair = line.bad(f"query_id {ids[0]!r} with doc_id {ids[1]!r} is in line {seen[ids]} already")
            else:
                seen[ids] = pair.line
        yield pair


def _pair(line: Line) -> Pair | BadLine:
    query, document = line.text("query"), line.text("doc")
    for text in (query, document):
        if isinstance(text, BadLine):
            return text
    ids = []
    for field, letter in (("query_id", "q"), ("doc_id", "d")):
        value = line.record.get(field, f"{letter}{line.number}")
        if isinstance(value, bool) or not isinstance(value, str | int):
            return line.bad(f"field {field!r} is not text but {type(value).__name__}")
        ids.append(str(value))
    return Pair(str(query), str(document), ids[0], ids[1], line.number)
