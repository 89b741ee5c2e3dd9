"""The prompts of teachers: prompt files with a place for the document, and what an answer may be like."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from ..errors import InputError
from ..files import digest_of
from ..llm import Message, Request
from ..llm.prompts import fence_of, read_prompt_file
from ..views import check_aspect

FOLDER: Final = Path(__file__).resolve().parent / "prompts"

PAIRS_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "pairs": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"question": {"type": "string"}, "answer": {"type": "string"}},
                "required": ["question", "answer"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["pairs"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Prompt:
    """How one aspect is asked for. `version` changes with the words; it and their hash travel with every text."""

    aspect: str
    version: str
    kind: Literal["text", "pairs"]
    turns: tuple[tuple[str, str], ...]  # role, template
    max_words: int
    max_tokens: int
    max_pairs: int = 20
    structured: bool = True  # pairs are asked for as JSON where the server offers that

    @property
    def identity(self) -> str:
        """ASPECT/VERSION/HASH."""
        return f"{self.aspect}/{self.version}/{digest_of([list(turn) for turn in self.turns])[:12]}"

    def request(self, document: str, attempt: int = 0, fault: str | None = None) -> Request:
        """The request for one document; on a second attempt the last answer's fault is named."""
        # Of the document alone: the aspects' requests then begin alike, and servers reuse what they read.
        fence = fence_of(document)
        turns = [(role, text.replace("{fence}", fence)) for role, text in self.turns]
        messages = [Message(role, text.replace("{document}", document)) for role, text in turns]  # type: ignore[arg-type]
        if fault is not None:
            last = messages[-1]
            messages[-1] = last._replace(content=f"{last.content}\n\nAn earlier answer was of no use: {fault}.")
        return Request(
            tuple(messages),
            self.max_tokens,
            temperature=min(0.3 * attempt, 0.9),
            schema=PAIRS_SCHEMA if self.structured and self.kind == "pairs" else None,
            version=self.identity,
            attempt=attempt,
        )


def read_prompt(source: str | Path) -> Prompt:
    """A prompt that ships with the package (summary, purpose, qa), or one in a file.

    Raises:
        InputError: no such prompt, or the file lacks a field or a place for the document.
    """
    file = read_prompt_file(source, FOLDER)
    path, turns = file.path, file.turns
    if not any("{document}" in text for _, text in turns):
        raise InputError(f"{path}: the last turn must be '--- user', and {{document}} must stand in one")
    if any("{document}" in text and text.count("{fence}") < 2 for _, text in turns):
        raise InputError(f"{path}: {{document}} must stand between two lines with {{fence}}, so that it stays data")
    kind = file.fields.get("answer", "text")
    if kind not in ("text", "pairs"):
        raise InputError(f"{path}: answer: {kind!r} is not text or pairs")
    return Prompt(
        aspect=check_aspect(file.field("aspect"), str(path)),
        version=file.field("version"),
        kind=kind,  # type: ignore[arg-type]  # one of the two
        turns=turns,
        max_words=file.number("max_words", 120),
        max_tokens=file.number("max_tokens", 300),
        max_pairs=file.number("max_pairs", 20),
        structured=file.fields.get("structured", "yes") == "yes",
    )
