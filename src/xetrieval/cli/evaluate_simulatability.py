"""xetrieval evaluate simulatability and answers: can a reader predict from explanations what the encoder does?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..configs import SimulatabilityConfig
from .console import print_json, print_message
from .evaluate_names import SheetOptions
from .llm_options import LlmOptions, end
from .options import Format, FormatOption
from .output import print_parts
from .progress import progress_bar
from .search import IndexArgument
from .skipped import print_messages

if TYPE_CHECKING:
    from ..evaluate.simulatability import Student


def simulatability(index: IndexArgument, options: SheetOptions, config: SimulatabilityConfig, llm: LlmOptions) -> None:
    """Write a blind sheet of questions about what the encoder does, to answer from explanations alone.

    Which of two sentences, taken out, lowers the score more? Which of two documents ranks higher for a second query?
    People answer, or an encoder (--judge) or a language model (--llm) does; then run `xetrieval evaluate answers`. Run
    it again to resume; no answer is paid for twice. Exit code 3: the budget is used up.
    """
    from ..data.judgments import read_queries
    from ..encoders import CachedEncoder
    from ..evaluate.simulatability import (
        EncoderStudent,
        LlmStudent,
        answer_all,
        draw_questions,
        read_key,
        write_key,
        write_sheet,
    )

    opened, filler = options.open(index, llm)
    queries = read_queries(options.queries)
    print_messages([queries.note] if queries.empty else [])
    student: Student | None = None
    if isinstance(filler, CachedEncoder):
        student = EncoderStudent(filler, opened.explainer.encoder_identity)
    elif filler is not None:
        student = LlmStudent(filler)
    with progress_bar() as progress:
        known = options.key.exists()
        key = read_key(options.key) if known else draw_questions(opened, queries, config, progress)
        if not known:
            write_key(options.key, key)
        filled, stopped = (None, None) if student is None else answer_all(key, student, progress=progress)
    write_sheet(options.sheet, key, filled)
    print_message(f"{len(key):,} questions in {options.sheet}; their answers in {options.key}")
    if filled is None:
        print_message(
            f"do not show the key to whoever answers; then run: xetrieval evaluate answers {options.key} SHEET..."
        )
    end(None if isinstance(filler, CachedEncoder) else filler, stopped)


def answers(
    key: Annotated[Path, typer.Argument(metavar="KEY", help="What `evaluate simulatability` wrote with --key.")],
    sheets: Annotated[list[Path], typer.Argument(metavar="SHEET...", help="Filled sheets (CSV), one per student.")],
    format: FormatOption = Format.text,
) -> None:
    """Score filled-in sheets: how often each student is right, by part and arm, with intervals; chance is 1/2."""
    from ..evaluate.simulatability import read_key, read_sheet, score_answers
    from ..evaluate.tables import simulatability_table

    read, questions = [read_sheet(sheet) for sheet in sheets], read_key(key)
    result = score_answers(questions, read)
    for path, sheet in zip(sheets, read, strict=True):
        if left := len(questions) - len(sheet.answers):
            print_message(f"{path}: {left:,} of {len(questions):,} questions have no answer; they are left out")
    if format is Format.json:
        print_json(result.to_dict())
    else:
        print_parts(simulatability_table(result), None)
