"""How long a language model takes to write teacher texts, timed on a few (paper, section 8)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from xetrieval.data import Document
from xetrieval.llm import ChatModel
from xetrieval.teachers.prompt import Prompt
from xetrieval.teachers.written import TeachConfig, show_document


class Timing(NamedTuple):
    """Seconds of each text, in the order of writing; the first question, which loads the model, is not among them."""

    model: str
    seconds: list[float]
    completion_tokens: int

    @property
    def mean(self) -> float:
        """Seconds a text."""
        return sum(self.seconds) / len(self.seconds)


def time_teacher(
    documents: Sequence[Document], prompts: Sequence[Prompt], model: ChatModel, config: TeachConfig | None = None
) -> Timing:
    """Ask for every text once, one after the other. Give a model without a cache."""
    letters = (config or TeachConfig()).letters
    asked = [prompt.request(show_document(document.text, letters)[0]) for document in documents for prompt in prompts]
    model.ask(asked[0])
    seconds, tokens = [], 0
    for request in asked:
        started = time.perf_counter()
        tokens += model.ask(request).usage.completion
        seconds.append(time.perf_counter() - started)
    return Timing(model.name, seconds, tokens)
