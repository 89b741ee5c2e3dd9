"""Automatic students, which answer from what a question shows and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from ...arrays import Float32
from ...encoders import Encoder, EncoderIdentity, read_texts
from ...errors import BudgetSpent, InputError
from ...files import parse_json
from ...labels.examples import PROMPTS
from ...labels.judges import check_judge
from ...llm import Answer as ModelAnswer
from ...llm import ChatModel, Checked, ask, in_parallel, object_schema, read_prompt
from ...progress import Progress, silent
from .question import ANSWERS, Answer, Lines, Question
from .sheet import ASKED, AnswerSheet, as_text

SCHEMA: Final = object_schema(answer={"type": "string", "enum": list(ANSWERS)})


class Student(Protocol):
    """Answers questions."""

    @property
    def name(self) -> str:
        """The name under which tables list it."""

    def prepare(self, questions: Sequence[Question]) -> None:
        """Receive all questions before answering the first."""

    def answer(self, question: Question) -> Answer | None:
        """The answer; None if there is no usable one."""


class EncoderStudent:
    """A different encoder: it chooses the option whose text has the higher cosine with what it is shown.

    An explanation is one text of its lines without their shares. Where nothing is shown, it chooses the longer text;
    if none is longer, A.

    Raises:
        MismatchError: `encoder` is the explained encoder.
    """

    def __init__(self, encoder: Encoder, explained: EncoderIdentity) -> None:
        check_judge(encoder.identity, explained)
        self.encoder = encoder
        self.name = f"encoder:{Path(encoder.identity.name).name}"
        self._vectors: dict[str, Float32] = {}

    def prepare(self, questions: Sequence[Question]) -> None:
        """Encode every text of every question."""
        texts = {_joined(side) for one in questions for side in (one.given, one.a, one.b)} - {""}
        vectors = read_texts(self.encoder, sorted(texts), "document").vectors
        self._vectors = dict(zip(sorted(texts), vectors, strict=True))

    def answer(self, question: Question) -> Answer:
        """The nearer option."""
        options = [_joined(option) for option in (question.a, question.b)]
        near = [self._cosine(_joined(question.given), option) for option in options]
        return ANSWERS[max((0, 1), key=lambda at: (near[at], len(options[at]), -at))]

    def _cosine(self, one: str, other: str) -> float:
        return float(self._vectors[one] @ self._vectors[other]) if one and other else 0.0


def _joined(lines: Lines) -> str:
    return "; ".join(line.text for line in lines)


class LlmStudent:
    """A language model that reads one question at a time.

    Args:
        retries: attempts after an unusable answer.
        prompt: the name of a built-in prompt, or a file.
    """

    def __init__(self, model: ChatModel, retries: int = 1, prompt: str | Path = "simulatability") -> None:
        if retries < 0:
            raise InputError("student: retries must be >= 0")
        self.model, self.retries = model, retries
        self.name = f"llm:{model.name}"
        self.prompt = read_prompt(prompt, PROMPTS, SCHEMA)
        self.prompt.require_places("question", "given", "a", "b")

    def prepare(self, questions: Sequence[Question]) -> None:
        """Do nothing."""

    def answer(self, question: Question) -> Answer | None:
        """The model's answer."""

        def check(answer: ModelAnswer) -> Checked[Answer]:
            try:
                found = parse_json(answer.text[answer.text.find("{") : answer.text.rfind("}") + 1])
            except InputError:
                found = None
            given = found.get("answer") if isinstance(found, dict) else None
            if given not in ANSWERS:
                return Checked(None, 'it was not {"answer": "A"} or {"answer": "B"}')
            return Checked(ANSWERS[ANSWERS.index(given)])

        asked = ASKED[question.part]
        sides = {
            name: as_text(side) for name, side in (("given", question.given), ("a", question.a), ("b", question.b))
        }
        return ask(self.model, self.prompt, check, self.retries, question=asked, **sides).value


def answer_all(
    questions: Sequence[Question], student: Student, concurrency: int = 8, progress: Progress = silent
) -> tuple[AnswerSheet, str | None]:
    """The filled-in sheet, and why the student stopped early, if it did. Questions without an answer stay empty."""
    student.prepare(questions)
    answers: dict[str, Answer] = {}
    stopped: str | None = None
    try:
        for done, (question, found) in enumerate(in_parallel(student.answer, questions, concurrency), 1):
            if found is not None:
                answers[question.item] = found
            progress("answer", done, len(questions), "questions")
    except BudgetSpent as spent:
        stopped = str(spent)
    return AnswerSheet(student.name, answers), stopped
