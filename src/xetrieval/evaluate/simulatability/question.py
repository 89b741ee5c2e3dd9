"""One question, and the key: every question of a sheet with its right answer. Readers never see the key."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

from ...data.lines import BadLine, read_json_lines
from ...errors import InputError
from ...files import write_text
from ...records import Record, read_record

Part = Literal["sentence", "ranking"]
Answer = Literal["A", "B"]
PARTS: Final[tuple[Part, ...]] = ("sentence", "ranking")
ANSWERS: Final[tuple[Answer, ...]] = ("A", "B")


class Line(NamedTuple):
    """A line of an explanation, a sentence, a query, or a phrase."""

    text: str
    share: float | None = None  # of the score; only lines of an explanation have one

    def __str__(self) -> str:
        return self.text if self.share is None else f"{self.share:.2f}  {self.text}"


Lines = tuple[Line, ...]


@dataclass(frozen=True)
class Question(Record):
    """What a reader is asked, and the right answer."""

    item: str  # id of the question in sheets
    part: Part
    arm: str
    given: Lines  # sentence: the explanation; ranking: the second query
    a: Lines  # sentence: the two sentences; ranking: the explanations of the two documents
    b: Lines
    right: Answer
    gap: float  # difference of the two scores that decide
    query: str  # id of the explained query; its questions are resampled together
    documents: tuple[str, ...]  # ids
    second: str = ""  # id of the second query
    feature: int | None = None  # ranking: the strongest feature of the second query
    states: Literal["A", "B", ""] = ""  # ranking: the document whose explanation shows that feature


def write_key(path: Path, questions: Sequence[Question]) -> None:
    """Write a key as JSON lines.

    Raises:
        InputError: `path` exists: sheets may have been made with it.
    """
    if path.exists():
        raise InputError(f"{path} exists already: the sheets made with it need it; choose another path")
    write_text(path, "".join(json.dumps(one.to_dict(), ensure_ascii=False) + "\n" for one in questions))


def read_key(path: Path) -> list[Question]:
    """The questions of a key.

    Raises:
        InputError: an unusable line; the message says which.
    """
    questions: dict[str, Question] = {}
    for line in read_json_lines(path):
        if isinstance(line, BadLine):
            raise line
        try:
            question = read_record(Question, line.record)
        except (TypeError, ValueError) as error:
            raise line.bad(f"not a question of a key: {error}") from error
        if questions.setdefault(question.item, question) is not question:
            raise line.bad(f"duplicate item {question.item[:40]!r}")
    return list(questions.values())
