"""The features of an explainer as two tables, one JSON object a line: features.jsonl and families.jsonl.

The tables hold the ids of example texts, never the texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

from .data import BadLine, read_json_lines
from .data.lines import Line
from .errors import DamagedError, InputError
from .files import write_text
from .records import Record

Negatives = Literal["random", "hard"]
Active = Literal["range", "strongest"]


class Score(NamedTuple):
    """How well a label describes its feature, as one judge measured it."""

    kind: str  # detection, fuzz or intruder
    negatives: Negatives
    judge: str
    value: float  # detection, fuzz: fraction of (active, silent) pairs in the right order, ties half; intruder: 0 or 1
    low: float  # Wilson 95 % interval, by the number of texts
    high: float
    chance: float
    texts: int
    seed: int
    active: Active = "range"  # active texts from the whole activation range, or only the strongest


def check_feature_ids(feature_ids: Iterable[int], count: int) -> None:
    """Raise InputError unless each id is one of 0 .. count - 1."""
    for feature_id in feature_ids:
        if not 0 <= feature_id < count:
            raise InputError(f"there is no feature {feature_id} (0 to {count - 1})")


def feature_name(label: str | None, feature_id: int) -> str:
    """What a feature is called: its label, or "feature 17" if it has none."""
    return label or f"feature {feature_id}"


@dataclass(frozen=True)
class Feature(Record):
    """One feature of an autoencoder and its label."""

    feature_id: int
    label: str | None  # None: unlabelled
    source: str | None  # where the label comes from: keyphrase, release, llm:MODEL, worksheet
    frequency: float  # fraction of the training documents and sentences on which the feature is active
    examples: tuple[str, ...] = ()  # ids of its strongest texts
    prompt: str | None = None  # identity of the prompt, if a language model wrote the label
    scores: tuple[Score, ...] = ()  # of this label; a new label starts without any
    family: int | None = None  # id in families.jsonl
    flags: tuple[str, ...] = ()  # dense, duplicate:ID

    @property
    def name(self) -> str:
        """The label, or "feature 17" if there is none."""
        return feature_name(self.label, self.feature_id)

    @cached_property
    def confidence(self) -> float | None:
        """Mean detection score of the label; None where it was never judged."""
        values = [score.value for score in self.scores if score.kind == "detection"]
        return sum(values) / len(values) if values else None


@dataclass(frozen=True)
class Family:
    """A node of the tree of features. Features belong to a lower family; an upper family has no parent."""

    id: int
    name: str
    parent: int | None
    features: int  # how many
    centre: int  # the feature most similar to the others


def write_features(path: Path, features: Iterable[Feature], sae: str) -> None:
    """Write the features of the autoencoder with digest `sae`, one a line."""
    records = [feature.to_dict() for feature in features]
    _write_lines(path, ({"id": record.pop("feature_id"), **record, "sae": sae} for record in records))


def read_features(path: Path, count: int, sae: str) -> tuple[Feature, ...]:
    """Read the features of an autoencoder with `count` features and digest `sae`; line i is feature i.

    Raises:
        DamagedError: a wrong number of lines, a line out of order, a field of the wrong type, or labels made for
            another autoencoder.
    """
    features: list[Feature] = []
    for line in _stored_lines(path):
        r = line.record
        if r.get("sae", sae) != sae:
            raise DamagedError(
                f"{path}, line {line.number}: these labels belong to another autoencoder (sae {r['sae']}, not {sae}); "
                "copy them with `xetrieval label transfer`"
            )
        try:
            features.append(_feature(r, len(features)))
        except (TypeError, ValueError, KeyError) as error:
            raise DamagedError(f"{path}, line {line.number}: not feature {len(features)} of the table") from error
    if len(features) != count:
        raise DamagedError(f"{path}: {len(features)} features for an autoencoder of {count}")
    return tuple(features)


def write_families(path: Path, families: Iterable[Family]) -> None:
    """Write one family a line; line i is family i."""
    _write_lines(path, map(asdict, families))


def read_families(path: Path) -> tuple[Family, ...]:
    """Read what `write_families` wrote.

    Raises:
        DamagedError: a line is not a family.
    """
    families: list[Family] = []
    for line in _stored_lines(path):
        record: Any = line.record
        try:
            family = Family(**record)
        except TypeError as error:
            raise DamagedError(f"{path}, line {line.number}: not a family ({error})") from error
        if family.id != len(families) or not isinstance(family.name, str):
            raise DamagedError(f"{path}, line {line.number}: not family {len(families)}")
        families.append(family)
    return tuple(families)


def _write_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    write_text(path, "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))


def _stored_lines(path: Path) -> Iterator[Line]:
    """The lines of a file that this package wrote; anything unexpected in it is damage, not bad input."""
    try:
        for line in read_json_lines(path):
            if isinstance(line, BadLine):
                raise line
            yield line
    except InputError as error:
        raise DamagedError(str(error)) from error


def _feature(record: Mapping[str, Any], expected: int) -> Feature:
    label, source, prompt, family = (record.get(key) for key in ("label", "source", "prompt", "family"))
    if record.get("id") != expected or not all(isinstance(value, str | None) for value in (label, source, prompt)):
        raise ValueError
    return Feature(
        feature_id=expected,
        label=label,
        source=source,
        frequency=float(record.get("frequency") or 0.0),
        examples=tuple(str(example) for example in record.get("examples") or ()),
        prompt=prompt,
        scores=tuple(Score(**score) for score in record.get("scores") or ()),
        family=None if family is None else int(family),
        flags=tuple(str(flag) for flag in record.get("flags") or ()),
    )
