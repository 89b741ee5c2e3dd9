"""How long a language model takes to write teacher texts, timed on a few (paper, section 8)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from xetrieval.data import Document
from xetrieval.llm import ChatModel, Prompt
from xetrieval.teachers.written import TeachConfig, show_document


class Timing(NamedTuple):
    """Seconds per text, in order. The first request, which loads the model, is not counted."""

    model: str
    seconds: list[float]
    completion_tokens: int

    @property
    def mean(self) -> float:
        """Mean seconds per text."""
        return sum(self.seconds) / len(self.seconds)


def time_teacher(
    documents: Sequence[Document], prompts: Sequence[Prompt], model: ChatModel, config: TeachConfig | None = None
) -> Timing:
    """Request every text once, in sequence. The model must have no cache."""
    texts = [show_document(document.text, (config or TeachConfig()).characters)[0] for document in documents]
    requests = [prompt.request(document=text) for text in texts for prompt in prompts]
    model.ask(requests[0])
    seconds, tokens = [], 0
    for request in requests:
        started = time.perf_counter()
        tokens += model.ask(request).usage.completion
        seconds.append(time.perf_counter() - started)
    return Timing(model.name, seconds, tokens)
