"""Prompts for teacher texts: prompt files with an aspect, a placeholder for the document, and limits on the answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from ..errors import InputError
from ..llm import Prompt, object_schema
from ..llm import read_prompt as read_prompt_file
from ..views import check_aspect

FOLDER: Final = Path(__file__).resolve().parent / "prompts"
TEXT, PAIRS = "text", "pairs"  # the field `answer`: plain text, or question-answer pairs

STRING: Final = {"type": "string"}
PAIRS_SCHEMA: Final = object_schema(pairs={"type": "array", "items": object_schema(question=STRING, answer=STRING)})


def read_prompt(source: str | Path) -> Prompt:
    """A built-in prompt (summary, purpose, qa), or one in a file; its name is its aspect.

    Raises:
        InputError: no such prompt, a missing or wrong field, or no safe placeholder for the document.
    """
    prompt = read_prompt_file(source, FOLDER)
    prompt.require_places("document")
    if any("{document}" in text and text.count("{fence}") < 2 for _, text in prompt.turns):
        raise InputError(f"{prompt.path}: put {{document}} between two lines with {{fence}}, so that it stays data")
    prompt.field("version")
    for name in ("max_words", "max_tokens", "max_pairs"):
        prompt.number(name, 1)
    answer = prompt.fields.get("answer", TEXT)
    if answer not in (TEXT, PAIRS):
        raise InputError(f"{prompt.path}: answer: {answer!r} is neither text nor pairs")
    structured = answer == PAIRS and prompt.fields.get("structured", "yes") == "yes"
    aspect = check_aspect(prompt.field("aspect"), str(prompt.path))
    return replace(prompt, name=aspect, schema=PAIRS_SCHEMA if structured else None)
