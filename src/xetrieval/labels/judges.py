"""Who judges labels. A judge reads a label and texts and never sees an activation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from ..arrays import Float32, Float64
from ..encoders import Encoder, EncoderIdentity, read_texts
from ..errors import InputError, MismatchError
from ..files import parse_json
from ..llm import Answer, CachedChat
from ..llm.prompts import PromptFile, read_prompt_file
from .labellers import PROMPTS, one_line


class Marked(NamedTuple):
    """A text of two parts, one of them marked: for fuzz scores."""

    before: str
    marked: str
    after: str


class Judge(Protocol):
    """Answers three questions. None is no usable answer; it is counted and never guessed."""

    @property
    def name(self) -> str:
        """As scores record it."""

    def prepare(self, labels: Iterable[str], texts: Iterable[str]) -> None:
        """Told beforehand what it will be asked about, so that it can read all of it at once."""

    def fits(self, label: str, texts: Sequence[str]) -> Float64 | None:
        """How well the label fits each text; only the order counts."""

    def fits_marked(self, label: str, texts: Sequence[Marked]) -> Float64 | None:
        """How well the label fits the marked part of each text."""

    def intruder(self, texts: Sequence[str]) -> int | None:
        """The place of the text that does not belong."""


def odd_one_out(vectors: Float32) -> int:
    """The place of the unit vector with the least mean cosine to the others."""
    cosine = vectors @ vectors.T
    return int(np.argmin(cosine.sum(axis=1) - np.diag(cosine)))


def check_judge(judge: EncoderIdentity, explained: EncoderIdentity) -> None:
    """A judge must not be the encoder whose features it judges: it would find its own neighbours again.

    Raises:
        MismatchError: it is.
    """
    same_weights = judge.weights_sha256 is not None and judge.weights_sha256 == explained.weights_sha256
    if judge.digest == explained.digest or (same_weights and judge.dimension == explained.dimension):
        raise MismatchError(f"the judge {judge.name} is the explained encoder itself; give another with --judge")


class EncoderJudge:
    """Cosine of the label's embedding to the text's, under another encoder. No language model, no cost.

    Raises:
        MismatchError: `encoder` is the explained one.
    """

    def __init__(self, encoder: Encoder, explained: EncoderIdentity) -> None:
        check_judge(encoder.identity, explained)
        self.encoder = encoder
        self._texts: dict[str, Float32] = {}
        self._labels: dict[str, Float32] = {}

    @property
    def name(self) -> str:
        """encoder:NAME."""
        return f"encoder:{Path(self.encoder.identity.name).name}"

    def prepare(self, labels: Iterable[str], texts: Iterable[str]) -> None:
        """Encode what is new."""
        for known, given, role in ((self._labels, labels, "query"), (self._texts, texts, "document")):
            new = [text for text in dict.fromkeys(given) if text not in known]
            vectors = read_texts(self.encoder, new, role).vectors  # type: ignore[arg-type]  # one of the two roles
            known.update(zip(new, vectors, strict=True))

    def fits(self, label: str, texts: Sequence[str]) -> Float64:
        """Cosines."""
        self.prepare([label], texts)
        return np.asarray(np.stack([self._texts[t] for t in texts]) @ self._labels[label], np.float64)

    def fits_marked(self, label: str, texts: Sequence[Marked]) -> Float64:
        """Cosines to the marked parts; this judge does not read what is around them."""
        return self.fits(label, [text.marked for text in texts])

    def intruder(self, texts: Sequence[str]) -> int:
        """The text with the least mean cosine to the others."""
        self.prepare([], texts)
        return odd_one_out(np.stack([self._texts[t] for t in texts]))


FITS_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"fits": {"type": "array", "items": {"type": "integer"}}},
    "required": ["fits"],
    "additionalProperties": False,
}
INTRUDER_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"intruder": {"type": "integer"}},
    "required": ["intruder"],
    "additionalProperties": False,
}


class LlmJudge:
    """A language model that is shown numbered texts and answers with numbers.

    Args:
        at_once: texts in one question; small models do better with few.
        retries: how often an answer of no use is asked for again.
        prompts: names of prompts that ship, or files, for (detection, fuzz, intruder).
    """

    def __init__(
        self,
        model: CachedChat,
        at_once: int = 10,
        retries: int = 1,
        prompts: tuple[str | Path, str | Path, str | Path] = ("detection", "fuzz", "intruder"),
    ) -> None:
        if at_once < 1 or retries < 0:
            raise InputError("judge: at least one text at once, and no fewer than 0 retries")
        self.model, self.at_once, self.retries = model, at_once, retries
        self.files = [read_prompt_file(prompt, PROMPTS) for prompt in prompts]

    @property
    def name(self) -> str:
        """llm:MODEL."""
        return f"llm:{self.model.name}"

    def prepare(self, labels: Iterable[str], texts: Iterable[str]) -> None:
        """Nothing to do."""

    def fits(self, label: str, texts: Sequence[str]) -> Float64 | None:
        """1 where it says that the label fits, else 0."""
        return self._fits(self.files[0], label, [one_line(text) for text in texts])

    def fits_marked(self, label: str, texts: Sequence[Marked]) -> Float64 | None:
        """1 where it says that the label fits the marked part, else 0."""
        lines = [
            " ".join(filter(None, (one_line(t.before), f"[[{one_line(t.marked)}]]", one_line(t.after)))) for t in texts
        ]
        return self._fits(self.files[1], label, lines)

    def intruder(self, texts: Sequence[str]) -> int | None:
        """The text that it names."""
        listed = [one_line(text) for text in texts]

        def read(answer: Answer) -> int | str:
            number = _json(answer.text).get("intruder")
            if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= len(texts):
                return 'it was not {"intruder": NUMBER} with the number of a text'
            return number - 1

        found = self._ask(self.files[2], INTRUDER_SCHEMA, read, texts=_numbered(listed))
        return None if found is None else int(found)

    def _fits(self, file: PromptFile, label: str, lines: list[str]) -> Float64 | None:
        parts = []
        for start in range(0, len(lines), self.at_once):
            some = lines[start : start + self.at_once]

            def read(answer: Answer, count: int = len(some)) -> Float64 | str:
                numbers = _json(answer.text).get("fits")
                if not isinstance(numbers, list) or not all(type(n) is int and 1 <= n <= count for n in numbers):
                    return 'it was not {"fits": [NUMBERS]} with numbers of texts'
                return np.isin(np.arange(1, count + 1), numbers).astype(np.float64)

            found = self._ask(file, FITS_SCHEMA, read, texts=_numbered(some), label=label)
            if found is None:
                return None
            parts.append(found)
        return np.concatenate(parts)

    def _ask(self, file: PromptFile, schema: dict[str, Any], read: Any, **values: str) -> Any:
        fault: str | None = None
        for attempt in range(self.retries + 1):
            found = read(self.model.ask(file.request(schema, attempt, fault, **values)))
            if not isinstance(found, str):
                return found
            fault = found
        return None


def _numbered(lines: Sequence[str]) -> str:
    return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, 1))


def _json(text: str) -> dict[str, Any]:
    """The first JSON object of an answer, {} where there is none."""
    match = re.search(r"\{[^{}]*\}", text)
    try:
        found = parse_json(match[0]) if match else {}
    except InputError:
        return {}
    return found if isinstance(found, dict) else {}
