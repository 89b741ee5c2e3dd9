"""The features of an explainer as two tables, one JSON object per line: features.jsonl and families.jsonl.

The tables contain the ids of example texts, never the texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from .configs.labels import Active, Negatives
from .data import BadLine, read_json_lines
from .errors import DamagedError, InputError
from .files import write_text
from .records import Record, object_of, read_record
from .text import printable

T = TypeVar("T")
FROM_USES: Final = "uses"  # source of labels that consist of the corpus's own terms
LISTED_WORDS: Final = 3  # words of a feature that are listed where it has no name
RETIRED: Final = "retired"  # flag of a feature that was lost when the autoencoder was retrained


class Score(NamedTuple):
    """How well a label describes its feature, as one judge measured it."""

    kind: str  # a label score of `registry`
    negatives: Negatives
    judge: str
    value: float  # the quantity that its class in labels/scores measures
    low: float  # Wilson 95 % interval for the number of texts
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
class LabelledFeature(Record):
    """A feature's number and its label."""

    feature_id: int
    label: str | None  # None: unlabelled

    @property
    def name(self) -> str:
        """The label, or "feature 17" if there is none."""
        return feature_name(self.label, self.feature_id)

    @property
    def numbered(self) -> str:
        """The label with the number, for one line."""
        return f"{printable(self.name)}{f' #{self.feature_id}' if self.label else ''}"


@dataclass(frozen=True)
class SteeredFeature(LabelledFeature):
    """A feature that is turned up or down. A factor of 1 changes nothing, 0 removes the feature."""

    factor: float
    change: float | None = None  # what it changes in one document's score, if that is known

    def __str__(self) -> str:
        return f"{self.numbered} × {self.factor:g}"


@dataclass(frozen=True)
class Feature(LabelledFeature):
    """One feature of an autoencoder and its label."""

    source: str | None  # source of the label: uses, keyphrase, release, llm:MODEL, worksheet, worksheet:AUTHOR
    frequency: float  # fraction of the training documents and sentences on which the feature is active
    examples: tuple[str, ...] = ()  # ids of its strongest texts
    prompt: str | None = None  # identity of the prompt, if a language model wrote the label
    scores: tuple[Score, ...] = ()  # scores of this label; a new label has none
    family: int | None = None  # id in families.jsonl
    flags: tuple[str, ...] = ()  # dense, duplicate:ID, retired
    holds_from: float | None = None  # a sign that the label holds: both activations are at least this
    near_from: float | None = None  # a sign that the label holds: its cosine with both texts is at least this
    words: tuple[str, ...] = ()  # the corpus's words for the feature, strongest first; its other names

    @cached_property
    def confidence(self) -> float | None:
        """Mean detection score of the label; None if it was never judged."""
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
    """Write the features of the autoencoder with digest `sae`, one per line."""
    records = [feature.to_dict() for feature in features]
    _write_lines(path, ({"id": record.pop("feature_id"), **record, "sae": sae} for record in records))


def read_features(path: Path, count: int, sae: str) -> tuple[Feature, ...]:
    """Read the features of an autoencoder with `count` features and digest `sae`; line i is feature i.

    Raises:
        DamagedError: a wrong number of lines, a line out of order, a field of the wrong type, or labels made for
            another autoencoder.
    """

    def read(record: dict[str, Any], place: str) -> Feature:
        if (other := record.pop("sae", sae)) != sae:
            raise DamagedError(
                f"{place}: these labels belong to a different autoencoder (sae {other}, not {sae}); copy them with "
                "`xetrieval label transfer`"
            )
        return read_record(Feature, {"feature_id": record.pop("id"), **record})

    features = _read_lines(path, read, "feature")
    if len(features) != count:
        raise DamagedError(f"{path}: {len(features)} features for an autoencoder of {count}")
    return features


def write_families(path: Path, families: Iterable[Family]) -> None:
    """Write one family per line; line i is family i."""
    _write_lines(path, map(object_of, families))


def read_families(path: Path) -> tuple[Family, ...]:
    """Read what `write_families` wrote.

    Raises:
        DamagedError: a line is not a family.
    """
    return _read_lines(path, lambda record, _: read_record(Family, record), "family")


def _write_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    write_text(path, "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))


def _read_lines(path: Path, read: Callable[[dict[str, Any], str], T], what: str) -> tuple[T, ...]:
    """The lines of a file that this package wrote; anything unexpected in it is damage, not bad input."""
    found: list[T] = []
    try:
        for line in read_json_lines(path):
            if isinstance(line, BadLine):
                raise line
            place, given = f"{path}, line {line.number}", line.record.get("id")
            try:
                found.append(read(line.record, place))
            except (TypeError, ValueError, KeyError) as error:
                raise DamagedError(f"{place}: not a {what} ({error})") from error
            if given != len(found) - 1:
                raise DamagedError(f"{place}: not {what} {len(found) - 1}")
    except InputError as error:
        raise DamagedError(str(error)) from error
    return tuple(found)
