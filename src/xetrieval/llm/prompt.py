"""Prompts are text files: header lines `name: value`, then turns, each after a line `--- system` or `--- user`.

A turn may contain placeholders such as {document}, which the caller fills. {fence} becomes a mark that the filled-in
text cannot predict, so that the text cannot fake its own end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from ..errors import InputError
from ..files import digest_of, path_of, read_text
from .base import Message, Request

TURN: Final = re.compile(r"^--- (system|user|assistant)[ \t]*$", re.MULTILINE)
PLACE: Final = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True)
class Prompt:
    """The header and the turns of a prompt file."""

    name: str
    path: Path
    fields: Mapping[str, str]
    turns: tuple[tuple[str, str], ...]  # role, template
    schema: Mapping[str, object] | None = None  # schema of the answer; None asks for plain text

    @property
    def identity(self) -> str:
        """NAME/VERSION/HASH of the turns. It is recorded with every answer and is part of the cache key."""
        return f"{self.name}/{self.field('version')}/{digest_of([list(turn) for turn in self.turns])[:12]}"

    def field(self, name: str) -> str:
        """A field of the header."""
        if name not in self.fields:
            raise InputError(f"{self.path}: the line {name!r} is missing before the turns")
        return self.fields[name]

    def number(self, name: str, default: int) -> int:
        """An integer in the header."""
        try:
            return int(self.fields.get(name, default))
        except ValueError as error:
            raise InputError(f"{self.path}: {name}: {error}") from error

    def require_places(self, *names: str) -> None:
        """Refuse a prompt without these placeholders."""
        for name in names:
            if not any("{" + name + "}" in text for _, text in self.turns):
                raise InputError(f"{self.path}: no turn contains {{{name}}}")

    def request(self, attempt: int = 0, fault: str | None = None, **values: str) -> Request:
        """The request with every placeholder filled once; braces inside a value are left alone.

        Args:
            attempt: 0, or how often the model was asked before; later attempts are sampled at a higher temperature.
            fault: what was wrong with the last answer. The model reads it, so it is part of the cache key.
        """
        known = {"fence": fence_of(*values.values()), **values}
        messages = [
            Message(role, PLACE.sub(lambda match: known.get(match[1], match[0]), text))  # type: ignore[arg-type]  # a role
            for role, text in self.turns
        ]
        if fault is not None:
            last = messages[-1]
            messages[-1] = last._replace(content=f"{last.content}\n\nAn earlier answer was of no use: {fault}.")
        return Request(
            tuple(messages),
            self.number("max_tokens", 300),
            temperature=min(0.3 * attempt, 0.9),
            schema=self.schema,
            version=self.identity,
            attempt=attempt,
        )


def object_schema(**properties: object) -> dict[str, object]:
    """The JSON schema of an object with exactly these properties, all required."""
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def fence_of(*texts: str) -> str:
    """A mark that occurs in `texts` with probability 2^-64."""
    return sha256(b"fence\0" + "\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def read_prompt(source: str | Path, folder: Path, schema: Mapping[str, object] | None = None) -> Prompt:
    """The prompt of that name in `folder`, or the prompt in a file.

    Raises:
        InputError: no such prompt, not UTF-8, or the last turn is not a user's.
    """
    path = path_of(source)
    if isinstance(source, str) and source in {file.stem for file in folder.glob("*.txt")}:
        path = folder / f"{source}.txt"
    if not path.is_file():
        shipped = ", ".join(sorted(file.stem for file in folder.glob("*.txt")))
        raise InputError(f"prompt {str(source)!r}: no such file; the prompts that ship are {shipped}")
    head, *parts = TURN.split(read_text(path))
    turns = tuple((role, text.strip()) for role, text in zip(parts[::2], parts[1::2], strict=True))
    if not turns or turns[-1][0] != "user":
        raise InputError(f"{path}: the last turn must be '--- user'")
    return Prompt(path.stem, path, _fields(path, head), turns, schema)


def _fields(path: Path, head: str) -> dict[str, str]:
    fields = {}
    for number, line in enumerate(head.splitlines(), 1):
        if line.strip():
            name, colon, value = line.partition(":")
            if not colon:
                raise InputError(f"{path}, line {number}: expected 'name: value'")
            fields[name.strip()] = value.strip()
    return fields
