"""Scores filled sheets against their key: how often each student is right, by part and arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ...configs.evaluate import ARMS
from ...errors import InputError
from ...intervals import cluster_bootstrap
from ...records import Record
from ..names.score import Interval, krippendorff_alpha
from .question import ANSWERS, PARTS, Question
from .sheet import AnswerSheet

RESAMPLES: Final = 1000
ALL: Final = "all students"


@dataclass(frozen=True)
class Accuracy(Record):
    """How often the answers to the questions of one part and one arm were right. Chance is 1/2."""

    questions: int  # in the key
    answered: int  # over all students
    right: Interval | None  # of the answered ones, with a 95 % bootstrap interval over queries; None without any


@dataclass(frozen=True)
class SimulatabilityResult(Record):
    """By student, part and arm; "all students" is added if there are several."""

    students: Mapping[str, Mapping[str, Mapping[str, Accuracy]]]
    alpha: float | None  # agreement (Krippendorff's); None for one student, or if all answers are equal
    states: Interval | None  # ranking: how often the document whose explanation shows the feature ranks higher


def score_answers(key: Sequence[Question], sheets: Sequence[AnswerSheet], seed: int = 0) -> SimulatabilityResult:
    """Compare filled sheets with their key.

    Raises:
        InputError: no sheet, two sheets by one student, or an answer to a question that is not in the key.
    """
    if not sheets:
        raise InputError("give at least one filled sheet")
    by = [sheet.reader for sheet in sheets]
    if twice := next((reader for reader in by if by.count(reader) > 1), None):
        raise InputError(f"two sheets are by {twice!r}; give each student's answers once")
    known = {one.item for one in key}
    for sheet in sheets:
        if foreign := sorted(sheet.answers.keys() - known):
            raise InputError(f"the sheet of {sheet.reader} answers {foreign[0]!r}, which is not in the key")
    students = {sheet.reader: [sheet] for sheet in sheets} | ({ALL: list(sheets)} if len(sheets) > 1 else {})
    arms = [
        (part, arm)
        for part in PARTS
        for arm in sorted({one.arm for one in key}, key=lambda arm: (*ARMS, arm).index(arm))
    ]
    found: dict[str, dict[str, dict[str, Accuracy]]] = {}
    for name, several in students.items():
        for part, arm in arms:
            if some := [one for one in key if (one.part, one.arm) == (part, arm)]:
                found.setdefault(name, {}).setdefault(part, {})[arm] = _accuracy(some, several, seed)
    asked = {(one.query, one.second, one.documents): one for one in key if one.part == "ranking"}.values()
    alpha = krippendorff_alpha(
        [{(item, 0): ANSWERS.index(answer) for item, answer in sheet.answers.items()} for sheet in sheets],
        len(ANSWERS),
    )
    return SimulatabilityResult(found, alpha, _interval([(one.states == one.right, one.query) for one in asked], seed))


def _accuracy(questions: Sequence[Question], sheets: Sequence[AnswerSheet], seed: int) -> Accuracy:
    marks = [
        (sheet.answers[one.item] == one.right, one.query)
        for one in questions
        for sheet in sheets
        if one.item in sheet.answers
    ]
    return Accuracy(len(questions), len(marks), _interval(marks, seed))


def _interval(marks: Sequence[tuple[bool, str]], seed: int) -> Interval | None:
    """How many are right, by query."""
    if not marks:
        return None
    right = np.array([mark for mark, _ in marks], float)
    queries = np.unique([query for _, query in marks], return_inverse=True)[1]
    return Interval(*cluster_bootstrap(right, queries, RESAMPLES, seed).rounded(4))
