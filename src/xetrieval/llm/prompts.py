"""Prompts are files: a head of `name: value` lines, then the turns, each after a line `--- system` or `--- user`.

In the turns {fence} is a mark around what strangers wrote, which that text cannot know; other names in braces are the
caller's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from ..errors import InputError
from ..files import digest_of
from .base import Message, Request

TURN: Final = re.compile(r"^--- (system|user|assistant)[ \t]*$", re.MULTILINE)
PLACE: Final = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True)
class PromptFile:
    """The head and the turns of a prompt."""

    path: Path
    fields: Mapping[str, str]
    turns: tuple[tuple[str, str], ...]  # role, template

    @property
    def digest(self) -> str:
        """A hash of the words."""
        return digest_of([list(turn) for turn in self.turns])[:12]

    @property
    def identity(self) -> str:
        """NAME/VERSION/HASH, as answers are recorded under."""
        return f"{self.path.stem}/{self.field('version')}/{self.digest}"

    def field(self, name: str) -> str:
        """A line of the head.

        Raises:
            InputError: it is missing.
        """
        if name not in self.fields:
            raise InputError(f"{self.path}: the line {name!r} is missing before the turns")
        return self.fields[name]

    def number(self, name: str, otherwise: int) -> int:
        """A whole number of the head.

        Raises:
            InputError: it is not one.
        """
        try:
            return int(self.fields.get(name, otherwise))
        except ValueError as error:
            raise InputError(f"{self.path}: {name}: {error}") from error

    def messages(self, **values: str) -> tuple[Message, ...]:
        """The turns with every {name} replaced once: what a value holds in braces stays as it is."""
        known = {"fence": fence_of(*values.values()), **values}
        fill = lambda match: known.get(match[1], match[0])  # noqa: E731
        return tuple(Message(role, PLACE.sub(fill, text)) for role, text in self.turns)  # type: ignore[arg-type]

    def request(
        self, schema: Mapping[str, Any] | None = None, attempt: int = 0, fault: str | None = None, **values: str
    ) -> Request:
        """The request; on a second attempt the last answer's fault is named."""
        messages = list(self.messages(**values))
        if fault is not None:
            last = messages[-1]
            messages[-1] = last._replace(content=f"{last.content}\n\nAn earlier answer was of no use: {fault}.")
        return Request(
            tuple(messages),
            self.number("max_tokens", 300),
            temperature=min(0.3 * attempt, 0.9),
            schema=schema,
            version=self.identity,
            attempt=attempt,
        )


def fence_of(*texts: str) -> str:
    """A mark that `texts` cannot hold but by a chance of one in 2^64."""
    return sha256(b"fence\0" + "\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def read_prompt_file(source: str | Path, folder: Path) -> PromptFile:
    """A prompt of `folder`, by its name, or one in a file.

    Raises:
        InputError: no such prompt, not UTF-8, or it does not end with a user's turn.
    """
    path = folder / f"{source}.txt"
    if not (isinstance(source, str) and path.is_file()):
        path = Path(source)
    if not path.is_file():
        shipped = ", ".join(sorted(file.stem for file in folder.glob("*.txt")))
        raise InputError(f"prompt {str(source)!r}: no such file, and none that ships ({shipped})")
    try:
        head, *parts = TURN.split(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8") from error
    turns = tuple((role, text.strip()) for role, text in zip(parts[::2], parts[1::2], strict=True))
    if not turns or turns[-1][0] != "user":
        raise InputError(f"{path}: the last turn must be '--- user'")
    return PromptFile(path, _fields(path, head), turns)


def _fields(path: Path, head: str) -> dict[str, str]:
    fields = {}
    for number, line in enumerate(head.splitlines(), 1):
        if line.strip():
            name, colon, value = line.partition(":")
            if not colon:
                raise InputError(f"{path}, line {number}: expected 'name: value'")
            fields[name.strip()] = value.strip()
    return fields
