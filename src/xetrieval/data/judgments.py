"""Judged queries: TREC's and BEIR's qrels, queries.jsonl, and clicks. One reader for every command that takes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from ..errors import InputError
from ..files.paths import path_text
from .lines import BadLine, Line, RawLine, byte_lines, each, read_json_lines
from .skipped import Skipped, usable

Judgments = dict[str, dict[str, int]]  # query id -> document id -> grade

GRADE: Final = re.compile(r"[+-]?[0-9]{1,6}(?:\.0{1,6})?", re.ASCII)
HEADER: Final = re.compile(r"[^\W\d_][\w -]*")  # name of a column
QUERY_NAME: Final = re.compile(r"quer|question|topic|^q_?(?:id)?$", re.IGNORECASE)
DOCUMENT_NAME: Final = re.compile(r"doc|corpus|passage|answer|^p_?id$", re.IGNORECASE)
NUMBER_WORDS: Final = frozenset({"nan", "inf", "infinity", "none", "null", "na"})
BLANK: Final = " \t\r\n\v\f"  # between columns; an id may contain other spaces, such as U+00A0
BLANKS: Final = re.compile(f"[{BLANK}]+")
ITERATION: Final = re.compile(r"[Qq]?[0-9]+(?:\.[0-9]+)?", re.ASCII)
QUERY_IDS: Final = ("_id", "id", "query_id", "qid")  # the id is the first of these fields that a line has


class JudgedQueries(NamedTuple):
    """Queries that have judgments, and notes on those left out."""

    ids: list[str]
    texts: list[str]
    judgments: Judgments
    notes: list[str]


class Queries(NamedTuple):
    """The queries of a file, except those without text."""

    ids: list[str]
    texts: list[str]
    empty: int  # queries without text, which were left out

    @property
    def note(self) -> str:
        """A sentence about what was left out."""
        are = "query without a text was" if self.empty == 1 else "queries without a text were"
        return f"{self.empty:,} {are} left out"


def read_judged_queries(qrels: Path, queries: Path, skipped: Skipped | None = None) -> JudgedQueries:
    """The queries of a queries.jsonl that have judgments in a qrels file; some grade must be above 0."""
    judgments = read_judgments(qrels, skipped)
    found = read_queries(queries, judgments, skipped)
    rows = [(name, text) for name, text in zip(found.ids, found.texts, strict=True) if name in judgments]
    if not rows:
        raise InputError(f"{path_text(queries)}: none of its queries has judgments in {path_text(qrels)}")
    without = sum(max(judgments[name].values()) <= 0 for name, _ in rows)
    if without == len(rows):
        raise InputError(f"{path_text(qrels)}: no document is relevant to any query: no grade is above 0")
    notes = [found.note] if found.empty else []
    if absent := len(judgments) - len(rows):
        notes.append(f"{absent:,} of {len(judgments):,} judged queries are not in {queries.name}, and are left out")
    if without:
        notes.append(f"{without:,} of {len(rows):,} judged queries have no relevant document: no grade is above 0")
    ids, texts = [name for name, _ in rows], [text for _, text in rows]
    return JudgedQueries(ids, texts, {name: judgments[name] for name in ids}, notes)


def read_judgments(path: Path, skipped: Skipped | None = None) -> Judgments:
    """{query id: {document id: grade}} of a qrels file, plain or gzip, with tabs or spaces between columns.

    Three columns are BEIR's (query, document, grade), four are TREC's (query, 0 or Q0, document, grade). A first line
    with a word as the grade is a header; blank lines and lines that begin with # are skipped; a grade of 1.0 is 1.
    """
    judgments: Judgments = {}
    for judgment in usable(each(byte_lines(path), _JudgmentReader().read), skipped):
        if judgment is None:
            continue
        number, query, document, grade = judgment
        of_query = judgments.setdefault(query, {})
        if of_query.setdefault(document, grade) != grade:
            raise InputError(
                f"{path_text(path)}, line {number}: query {query[:60]!r} and document {document[:60]!r} have the grade "
                f"{of_query[document]} in an earlier line, and {grade} here"
            )
    if not judgments:
        raise InputError(f"{path_text(path)}: contains no judgments")
    return judgments


def read_queries(path: Path, judged: Container[str] | None = None, skipped: Skipped | None = None) -> Queries:
    """Ids and texts of a queries.jsonl. The id is `_id`, else `id`, `query_id` or `qid`.

    Args:
        judged: ids with judgments, whose queries need a text and an id; None: nothing is judged.
    """
    texts: dict[str, str] = {}
    empty = 0
    queries = each(read_json_lines(path, nan="null"), partial(_query, judged=judged))
    for number, name, text in usable(queries, skipped):
        if not text:
            empty += 1
        elif texts.setdefault(name, text) != text:
            raise InputError(
                f"{path_text(path)}, line {number}: query id {name[:60]!r} has a different text in an earlier line"
            )
    if not texts:
        raise InputError(f"{path_text(path)}: contains no query with a text")
    return Queries(list(texts), list(texts.values()), empty)


def read_clicks(path: Path, skipped: Skipped | None = None) -> tuple[list[str], list[dict[str, int]]]:
    """Queries in the order of their first line, and {document id: clicks} of each."""
    clicked: dict[str, dict[str, int]] = {}
    for query, document, clicks in usable(each(read_json_lines(path, nan="null"), click_of), skipped):
        of_query = clicked.setdefault(query, {})
        of_query[document] = of_query.get(document, 0) + clicks
    if not clicked:
        raise InputError(f"{path}: contains no clicks")
    return list(clicked), list(clicked.values())


def click_of(line: Line) -> tuple[str, str, int]:
    """Query, document id and number of clicks of a line."""
    query, clicks = line.text("query"), line.record.get("clicks", 1)
    document = line.identifier(line.record.get("doc_id"), "field 'doc_id' is missing or not text")
    whole = isinstance(clicks, int | float) and not isinstance(clicks, bool) and clicks == int(clicks)
    if not whole or not 0 <= clicks < 1 << 53:
        shown = "null or not finite" if clicks is None else f"not a count but {str(clicks)[:40]!r}"
        raise line.bad(f"field 'clicks' is {shown}")
    return query.strip(), document, int(clicks)


def absent_documents(judgments: Mapping[str, Mapping[str, int]], there: Callable[[str], bool]) -> list[str]:
    """At most one sentence, about judged documents that are not in the corpus.

    Raises:
        InputError: no judged document is in it.
    """
    pairs = sum(map(len, judgments.values()))
    known = {document: there(document) for of_query in judgments.values() for document in of_query}
    absent = sum(not known[document] for of_query in judgments.values() for document in of_query)
    if not absent:
        return []
    first = next(document for document, found in known.items() if not found)
    if absent == pairs:
        raise InputError(
            f"none of the judged documents is in the corpus ({pairs:,} pairs, e.g. {first[:60]!r}); "
            "were the judgments made for a different corpus?"
        )
    return [f"{absent:,} of {pairs:,} judged pairs name documents that are not in the corpus, e.g. {first[:60]!r}"]


def own_note(own: int, relevant: int) -> str:
    """A sentence about queries that have the id of a document, and how many of these documents are relevant."""
    judged = f" ({relevant} of these documents are judged relevant, and count as missed)" if relevant else ""
    return f"queries with the id of a document, which is not ranked for them, as in BEIR: {own}{judged}"


def _query(line: Line, judged: Container[str] | None) -> tuple[int, str, str]:
    """Line number, id and text."""
    field = next((name for name in QUERY_IDS if line.record.get(name) not in (None, "")), None)
    given = line.number if field is None else line.record[field]
    if field is None and judged is not None:
        raise line.bad("field '_id' is missing: judged queries need ids")
    identifier = line.identifier(given, f"field {field!r} is not text but {type(given).__name__}")
    if "text" not in line.record:
        raise line.bad("field 'text' is missing")
    text = line.text("text", required=judged is not None and identifier in judged)
    return line.number, identifier, text if text.strip() else ""


class _JudgmentReader:
    """Reads the lines of one qrels file, which must all have as many columns as the first."""

    columns = 0  # not known yet

    def read(self, line: RawLine) -> tuple[int, str, str, int] | None:
        """Line number, query, document and grade; None for a comment or a header."""
        text = line.text
        if text.lstrip().startswith("#"):
            return None
        inner = text.strip(BLANK)
        values = [value.strip(BLANK) for value in text.split("\t")] if "\t" in inner else BLANKS.split(inner)
        if "\t" in text and len(values) > 1 and not values[-1]:
            reason = "the line ends with a tab, so its last column, the grade, is empty"
            raise BadLine(line.path, line.number, reason, text.encode())
        first, columns = not self.columns, self.columns or len(values)
        if len(values) != columns or columns not in (3, 4):
            wanted = "3 columns (query, document, grade) or 4 (TREC)" if columns not in (3, 4) else f"{columns} columns"
            reason = f"expected {wanted} separated by tabs or spaces, found {len(values)}"
            raise BadLine(line.path, line.number, reason, text.encode())
        self.columns = columns
        if first and _is_header(values):
            check_order(line.path, line.number, values[0], values[-2])
            return None
        return (line.number, *_judgment(line, values))


def _judgment(line: RawLine, values: list[str]) -> tuple[str, str, int]:
    query, document, grade = values[0], values[-2], values[-1]
    reason = ""
    if len(values) == 4 and not ITERATION.fullmatch(values[1]):
        reason = f"the second of four columns is {values[1][:40]!r}, not 0 or Q0 as in TREC's judgments"
    elif not query or not document:
        reason = "the id of the query or the document is empty"
    elif not GRADE.fullmatch(grade):
        reason = f"the grade {grade[:40]!r} is not a whole number" + (" of six digits at most" if grade[40:] else "")
    if reason:
        raise BadLine(line.path, line.number, reason, "\t".join(values).encode())
    return query, document, int(grade.partition(".")[0])


def check_order(path: Path, number: int, query: str, document: str) -> None:
    """Refuse a header that names the columns in a different order: they are read by position.

    Raises:
        InputError: the column of queries is named as one of documents, or the reverse.
    """
    for name, other, what in ((query, DOCUMENT_NAME, "queries"), (document, QUERY_NAME, "documents")):
        if other.search(name):
            wanted = f"column {name[:40]!r} is where the ids of {what} must be: the query first, then the document"
            raise InputError(f"{path_text(path)}, line {number}: {wanted}")


def _is_header(values: list[str]) -> bool:
    """Whether these are column names: the last is a word, not a grade."""
    return bool(HEADER.fullmatch(values[-1])) and values[-1].lower() not in NUMBER_WORDS
