"""Pairs to explain: one JSON object per line with query and doc, and optionally query_id and doc_id."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .lines import BadLine, Line, each, read_json_lines


class Pair(NamedTuple):
    """A query and a document, with their ids."""

    query: str
    document: str
    query_id: str
    doc_id: str
    line: int = 0


def read_pairs(path: Path) -> Iterator[Pair | BadLine]:
    """The pairs of a JSON lines file (the release's input format).

    A missing id is made from the line number. A line with the same two ids as an earlier line is a bad line.
    """
    seen: dict[tuple[str, str], int] = {}

    def read(line: Line) -> Pair:
        pair = _pair(line)
        ids = (pair.query_id, pair.doc_id)
        if {"query_id", "doc_id"} <= line.record.keys() and seen.setdefault(ids, line.number) != line.number:
            raise line.bad(f"query_id {ids[0]!r} with doc_id {ids[1]!r} already occurs in line {seen[ids]}")
        return pair

    return each(read_json_lines(path), read)


def _pair(line: Line) -> Pair:
    query, document = line.text("query"), line.text("doc")
    ids = []
    for field, letter in (("query_id", "q"), ("doc_id", "d")):
        value = line.record.get(field, f"{letter}{line.number}")
        ids.append(line.identifier(value, f"field {field!r} is not text but {type(value).__name__}"))
    return Pair(query, document, ids[0], ids[1], line.number)
