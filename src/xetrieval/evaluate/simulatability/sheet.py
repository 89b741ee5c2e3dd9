"""Sheets of questions that readers fill in, as CSV or as a page to click through."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Final

from ...data.lines import Line as FileLine
from ...data.lines import each
from ...errors import InputError
from ...files import write_text
from ...labels.worksheet import csv_rows, safe_cell
from ..names.sheet import check_sheet, page
from .question import ANSWERS, Answer, Lines, Part, Question

COLUMNS: Final = ("item", "question", "given", "A", "B", "answer", "reader")
NEEDED: Final = ("item", "answer")
ASKED: Final[dict[Part, str]] = {
    "sentence": "Given: what a search engine says about why it found a document. A and B: two sentences of that "
    "document. Which sentence, taken out of the document, lowers its score more?",
    "ranking": "Given: a new query. A and B: what a search engine says about two documents, which it found for another "
    "query. Which document ranks higher for the new query?",
}
INSTRUCTIONS: Final = (
    "Each question shows two options. Choose A or B; if you cannot tell, guess.",
    "A number is the part of a score that a line carries; after the colon are words of the texts that carry it.",
    "Some questions show less than others, or nothing.",
)


@dataclass(frozen=True)
class AnswerSheet:
    """A filled sheet."""

    reader: str  # who filled it in
    answers: Mapping[str, Answer]  # by item


def as_text(lines: Lines) -> str:
    """The lines as text, one per line; "(nothing)" if there are none."""
    return "\n".join(str(line) for line in lines) or "(nothing)"


def write_sheet(path: Path, questions: Sequence[Question], filled: AnswerSheet | None = None) -> None:
    """Write a sheet: a page if `path` ends in .html, else CSV. `filled` are answers to write with it.

    Raises:
        InputError: see `check_sheet`.
    """
    check_sheet(path, filled=filled is not None)
    if path.suffix.lower() == ".html":
        write_text(path, _page(questions))
        return
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for one in questions:
        answer = ("", "") if filled is None else (filled.answers.get(one.item, ""), filled.reader)
        cells = (one.item, ASKED[one.part], as_text(one.given), as_text(one.a), as_text(one.b), *answer)
        writer.writerow([safe_cell(cell) for cell in cells])
    write_text(path, "\ufeff" + out.getvalue())  # without this mark, spreadsheets guess the wrong encoding


def read_sheet(path: Path) -> AnswerSheet:
    """The answers of a filled sheet. It needs the columns item and answer; rows without an answer are skipped.

    Raises:
        InputError: an unusable row; the message names line and field.
    """
    answers: dict[str, Answer] = {}
    readers: set[str] = set()

    def read(line: FileLine) -> None:
        item, answer = line.record["item"].strip(), line.record["answer"].strip().upper()
        if answer and answer not in ANSWERS:
            raise line.bad(f"field 'answer' is {answer[:20]!r}, not A or B")
        if item in answers:
            raise line.bad(f"duplicate item {item[:40]!r}")
        if answer:
            answers[item] = ANSWERS[ANSWERS.index(answer)]
            readers.add((line.record.get("reader") or "").strip())

    for fault in each(csv_rows(path, NEEDED), read):
        if fault is not None:
            raise fault
    if not answers:
        raise InputError(f"{path}: contains no answers")
    return AnswerSheet(", ".join(sorted(readers - {""})) or f"whoever filled in {path.name}", answers)


def _page(questions: Sequence[Question]) -> str:
    sides = ("given", "A", "B")
    items = [
        {"item": one.item, "rows": {"": ASKED[one.part]}}
        | dict(zip(sides, map(as_text, (one.given, one.a, one.b)), strict=True))
        for one in questions
    ]
    return page(
        "What would the search engine do?",
        INSTRUCTIONS,
        {"sides": sides, "choices": ANSWERS, "columns": "item,answer,reader", "of": "questions", "items": items},
    )
