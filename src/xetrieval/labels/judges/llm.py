"""A judge that asks a language model about numbered texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from ...arrays import Float64
from ...errors import InputError
from ...files import parse_json
from ...llm import Answer, ChatModel, Checked, Request, ask, object_schema, read_prompt
from ..examples import PROMPTS, one_line
from .base import Marked, Text

FITS, INTRUDER = "fits", "intruder"  # the keys of the answers
SCHEMAS: Final = {
    FITS: object_schema(fits={"type": "array", "items": {"type": "integer"}}),
    INTRUDER: object_schema(intruder={"type": "integer"}),
}


class LlmJudge:
    """A language model that reads numbered texts and answers with numbers.

    Args:
        at_once: texts per question; small models do better with few.
        retries: attempts after an unusable answer.
        prompts: names of built-in prompts, or files: for plain texts, for marked texts, and for finding an intruder.
    """

    def __init__(
        self,
        model: ChatModel,
        at_once: int = 10,
        retries: int = 1,
        prompts: tuple[str | Path, str | Path, str | Path] = ("detection", "fuzz", "intruder"),
    ) -> None:
        if at_once < 1 or retries < 0:
            raise InputError("judge: at_once must be >= 1, retries >= 0")
        self.model, self.at_once, self.retries = model, at_once, retries
        self.name = f"llm:{model.name}"
        self.plain, self.marked, self.odd = (
            read_prompt(prompt, PROMPTS, SCHEMAS[key])
            for prompt, key in zip(prompts, (FITS, FITS, INTRUDER), strict=True)
        )

    def prepare(self, labels: Iterable[str], texts: Iterable[Text]) -> None:
        """Do nothing."""

    def fits(self, label: str, texts: Sequence[Text]) -> Float64 | None:
        """1 where the model says that the label fits, else 0."""
        prompt = self.marked if isinstance(texts[0], Marked) else self.plain
        parts: list[Float64] = []
        for start in range(0, len(texts), self.at_once):
            lines = [_line(text) for text in texts[start : start + self.at_once]]

            def check(answer: Answer, count: int = len(lines)) -> Checked[Float64]:
                numbers = _json(answer.text).get(FITS)
                if not isinstance(numbers, list) or not all(type(n) is int and 1 <= n <= count for n in numbers):
                    return Checked(None, 'it was not {"fits": [NUMBERS]} with numbers of texts')
                return Checked(np.isin(np.arange(1, count + 1), numbers).astype(np.float64))

            fits = ask(self.model, prompt, check, self.retries, texts=_numbered(lines), label=label).value
            if fits is None:
                return None
            parts.append(fits)
        return np.concatenate(parts)

    def requests(self, label: str, texts: Sequence[str]) -> Iterator[Request]:
        """The requests of `fits` about plain texts, for estimating the cost."""
        for start in range(0, len(texts), self.at_once):
            lines = [_line(text) for text in texts[start : start + self.at_once]]
            yield self.plain.request(texts=_numbered(lines), label=label)

    def intruder(self, texts: Sequence[str]) -> int | None:
        """The text that the model names."""

        def check(answer: Answer) -> Checked[int]:
            number = _json(answer.text).get(INTRUDER)
            if type(number) is not int or not 1 <= number <= len(texts):
                return Checked(None, 'it was not {"intruder": NUMBER} with the number of a text')
            return Checked(number - 1)

        lines = [_line(text) for text in texts]
        return ask(self.model, self.odd, check, self.retries, texts=_numbered(lines)).value


def _line(text: Text) -> str:
    if isinstance(text, str):
        return one_line(text)
    parts = (one_line(text.before), f"[[{one_line(text.marked)}]]", one_line(text.after))
    return " ".join(filter(None, parts))


def _numbered(lines: Sequence[str]) -> str:
    return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, 1))


def _json(text: str) -> dict[str, Any]:
    """The first JSON object in an answer that has no nested objects, else {}."""
    match = re.search(r"\{[^{}]*\}", text)
    try:
        value = parse_json(match[0]) if match else {}
    except InputError:
        return {}
    return value if isinstance(value, dict) else {}
