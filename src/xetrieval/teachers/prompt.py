"""Prompts are files: a head of `name: value` lines, then the turns, each after a line `--- system` or `--- user`.

In the turns {document} is the document and {fence} a mark around it that the document cannot know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

from ..errors import InputError
from ..llm import Message, Request
from ..store import digest_of
from ..views import check_aspect

FOLDER: Final = Path(__file__).resolve().parent / "prompts"
TURN: Final = re.compile(r"^--- (system|user|assistant)[ \t]*$", re.MULTILINE)

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
        fence = sha256(f"fence\0{document}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
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
    path = FOLDER / f"{source}.txt"
    if not (isinstance(source, str) and path.is_file()):
        path = Path(source)
    if not path.is_file():
        shipped = ", ".join(sorted(file.stem for file in FOLDER.glob("*.txt")))
        raise InputError(f"prompt {str(source)!r}: no such file, and none that ships ({shipped})")
    try:
        head, *parts = TURN.split(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8") from error
    fields = _fields(path, head)
    turns = tuple((role, text.strip()) for role, text in zip(parts[::2], parts[1::2], strict=True))
    if not turns or turns[-1][0] != "user" or not any("{document}" in text for _, text in turns):
        raise InputError(f"{path}: the last turn must be '--- user', and {{document}} must stand in one")
    if any("{document}" in text and text.count("{fence}") < 2 for _, text in turns):
        raise InputError(f"{path}: {{document}} must stand between two lines with {{fence}}, so that it stays data")
    kind = fields.get("answer", "text")
    if kind not in ("text", "pairs"):
        raise InputError(f"{path}: answer: {kind!r} is not text or pairs")
    try:
        return Prompt(
            aspect=check_aspect(fields["aspect"], str(path)),
            version=fields["version"],
            kind=kind,  # type: ignore[arg-type]  # one of the two
            turns=turns,
            max_words=int(fields.get("max_words", 120)),
            max_tokens=int(fields.get("max_tokens", 300)),
            max_pairs=int(fields.get("max_pairs", 20)),
            structured=fields.get("structured", "yes") == "yes",
        )
    except KeyError as error:
        raise InputError(f"{path}: the line {error.args[0]!r} is missing before the turns") from error
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def _fields(path: Path, head: str) -> dict[str, str]:
    fields = {}
    for number, line in enumerate(head.splitlines(), 1):
        if line.strip():
            name, colon, value = line.partition(":")
            if not colon:
                raise InputError(f"{path}, line {number}: expected 'name: value'")
            fields[name.strip()] = value.strip()
    return fields
