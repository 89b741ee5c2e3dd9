"""Simulatability: can a reader predict from an explanation alone what the encoder does? Chance is 1/2.

`draw_questions` asks two kinds of question, `sentence` and `ranking`, and shows an explanation or, in the other arms,
something in its place. `write_sheet` writes what a reader sees. A person, a language model or another encoder answers;
`score_answers` compares the answers with the key.
"""

from ...configs import SimulatabilityConfig
from .draw import draw_questions
from .question import Line, Question, read_key, write_key
from .score import Accuracy, SimulatabilityResult, score_answers
from .sheet import AnswerSheet, read_sheet, write_sheet
from .students import EncoderStudent, LlmStudent, Student, answer_all

__all__ = [
    "Accuracy",
    "AnswerSheet",
    "EncoderStudent",
    "Line",
    "LlmStudent",
    "Question",
    "SimulatabilityConfig",
    "SimulatabilityResult",
    "Student",
    "answer_all",
    "draw_questions",
    "read_key",
    "read_sheet",
    "score_answers",
    "write_key",
    "write_sheet",
]
