"""The feature table: one JSON object a line, readable and small. It holds ids of examples, never their text."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..data import BadLine, read_json_lines
from ..errors import DamagedError
from ..store import write_text


@dataclass(frozen=True)
class Feature:
    """What is known of one feature."""

    id: int
    label: str | None  # None: not named
    source: str | None  # who named it: keyphrase, release, llm:MODEL, worksheet
    frequency: float  # share of the training documents and sentences on which it is active
    examples: tuple[str, ...] = ()  # ids of its top texts

    def to_dict(self) -> dict[str, Any]:
        """As a line of features.jsonl holds it."""
        return {**asdict(self), "examples": list(self.examples)}


def write_features(path: Path, features: Iterable[Feature]) -> None:
    """Write the table, one feature a line."""
    write_text(path, "".join(json.dumps(f.to_dict(), ensure_ascii=False) + "\n" for f in features))


def read_features(path: Path, count: int) -> tuple[Feature, ...]:
    """Read the table of an autoencoder with `count` features; line i is feature i.

    Raises:
        DamagedError: another number of lines, a line out of order, or a field of the wrong type.
    """
    features: list[Feature] = []
    for line in read_json_lines(path):
        if isinstance(line, BadLine):
            raise DamagedError(str(line.error()))
        r = line.record
        label, source = r.get("label"), r.get("source")
        if r.get("id") != len(features) or not isinstance(label, str | None) or not isinstance(source, str | None):
            raise DamagedError(f"{path}, line {line.number}: not feature {len(features)} of the table")
        examples = tuple(str(example) for example in r.get("examples") or ())
        features.append(Feature(len(features), label, source, float(r.get("frequency") or 0.0), examples))
    if len(features) != count:
        raise DamagedError(f"{path}: {len(features)} features for an autoencoder of {count}")
    return tuple(features)
