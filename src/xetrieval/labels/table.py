"""The feature table: one JSON object a line, readable and small. It holds ids of examples, never their text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..data import BadLine, read_json_lines
from ..data.lines import Line
from ..errors import DamagedError, InputError
from ..files import write_text

Kind = Literal["detection", "intruder", "fuzz"]
Negatives = Literal["random", "hard"]
Active = Literal["range", "strongest"]


class Score(NamedTuple):
    """How far a label, or a feature's texts, hold to one judge."""

    kind: Kind
    negatives: Negatives
    judge: str
    value: float  # detection, fuzz: share of (right, wrong) pairs told apart, ties half; intruder: 1 found, 0 not
    low: float  # 95 % interval (Wilson), by the number of texts
    high: float
    chance: float
    texts: int
    seed: int
    active: Active = "range"  # texts over the whole activation range, or the strongest alone

    def to_dict(self) -> dict[str, Any]:
        """As a line of features.jsonl holds it."""
        return self._asdict()


@dataclass(frozen=True)
class Feature:
    """What is known of one feature."""

    id: int
    label: str | None  # None: not named
    source: str | None  # who named it: keyphrase, release, llm:MODEL, worksheet
    frequency: float  # share of the training documents and sentences on which it is active
    examples: tuple[str, ...] = ()  # ids of its top texts
    prompt: str | None = None  # identity of the prompt, where a language model named it
    scores: tuple[Score, ...] = ()  # of this label; a new label has none
    family: int | None = None  # id in families.jsonl
    flags: tuple[str, ...] = field(default=())  # dense, duplicate:ID

    def to_dict(self) -> dict[str, Any]:
        """As a line of features.jsonl holds it; what is empty is left out."""
        facts = {**asdict(self), "examples": list(self.examples), "flags": list(self.flags)}
        facts["scores"] = [score.to_dict() for score in self.scores]
        optional = ("prompt", "scores", "family", "flags")
        return {key: value for key, value in facts.items() if key not in optional or value not in (None, [])}


def write_features(path: Path, features: Iterable[Feature], sae: str) -> None:
    """Write the table of the autoencoder whose digest is `sae`, one feature a line."""
    lines = [json.dumps({**f.to_dict(), "sae": sae}, ensure_ascii=False) for f in features]
    write_text(path, "".join(f"{line}\n" for line in lines))


def read_features(path: Path, count: int, sae: str) -> tuple[Feature, ...]:
    """Read the table of an autoencoder with `count` features and digest `sae`; line i is feature i.

    Raises:
        DamagedError: another number of lines, a line out of order, a field of the wrong type, or labels that were made
            for another autoencoder.
    """
    features: list[Feature] = []
    for line in stored_lines(path):
        r = line.record
        if r.get("sae", sae) != sae:
            raise DamagedError(
                f"{path}, line {line.number}: its labels are those of another autoencoder (sae {r['sae']}, not {sae}); "
                "take them over with `xetrieval label transfer`"
            )
        try:
            features.append(_feature(r, len(features)))
        except (TypeError, ValueError, KeyError) as error:
            raise DamagedError(f"{path}, line {line.number}: not feature {len(features)} of the table") from error
    if len(features) != count:
        raise DamagedError(f"{path}: {len(features)} features for an autoencoder of {count}")
    return tuple(features)


def stored_lines(path: Path) -> Iterator[Line]:
    """The lines of a file that we wrote ourselves.

    Raises:
        DamagedError: it is absent, empty, or holds something else than one JSON object a line.
    """
    try:
        for line in read_json_lines(path):
            if isinstance(line, BadLine):
                raise line.error()
            yield line
    except InputError as error:
        raise DamagedError(str(error)) from error


def _feature(record: Mapping[str, Any], expected: int) -> Feature:
    label, source, prompt, family = (record.get(key) for key in ("label", "source", "prompt", "family"))
    if record.get("id") != expected or not all(isinstance(value, str | None) for value in (label, source, prompt)):
        raise ValueError
    return Feature(
        id=expected,
        label=label,
        source=source,
        frequency=float(record.get("frequency") or 0.0),
        examples=tuple(str(example) for example in record.get("examples") or ()),
        prompt=prompt,
        scores=tuple(Score(**score) for score in record.get("scores") or ()),
        family=None if family is None else int(family),
        flags=tuple(str(flag) for flag in record.get("flags") or ()),
    )
