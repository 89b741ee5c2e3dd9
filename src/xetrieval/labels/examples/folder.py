"""Examples as a folder: config.json, and examples.jsonl with one feature a line. It contains text of the corpus."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ...data import BadLine, read_json_lines
from ...errors import DamagedError, MismatchError
from ...files import Kind, new_folder, read_manifest, write_manifest, write_text
from .base import Example, FeatureExamples, Side

KIND: Final = Kind("xetrieval-examples", 1, "examples")
EXAMPLES: Final = "examples.jsonl"
MOST_CHARACTERS: Final = 600  # of a stored text
SIDES: Final = {"labelling": "shown", "judging": "judged"}  # field -> key in the file


@dataclass(frozen=True)
class ExampleFolder:
    """The examples of every feature of one autoencoder, and the corpus they come from."""

    sae: str  # digest
    facts: Mapping[str, Any]
    features: Sequence[FeatureExamples]

    def check(self, sae: str, place: str) -> None:
        """Refuse examples of another autoencoder.

        Raises:
            MismatchError: they belong to another one.
        """
        if self.sae != sae:
            raise MismatchError(
                f"{place}: examples of another autoencoder (sae {self.sae}, not {sae}); gather them for this one"
            )


def save_examples(folder: Path, sae: str, features: Sequence[FeatureExamples], facts: Mapping[str, Any]) -> None:
    """Write a new folder, whole or not at all.

    Raises:
        InputError: it exists, or cannot be written.
    """
    with new_folder(folder) as scratch:
        lines = [json.dumps(_record(feature), ensure_ascii=False) for feature in features]
        write_text(scratch / EXAMPLES, "".join(f"{line}\n" for line in lines))
        write_manifest(scratch, KIND, {"sae": sae, **facts}, [EXAMPLES])


def load_examples(folder: Path) -> ExampleFolder:
    """Read what `save_examples` wrote.

    Raises:
        InputError: no such folder. DamagedError: a file was altered, is missing, or has another format.
    """
    config = read_manifest(folder, KIND)
    features: list[FeatureExamples] = []
    try:
        for line in read_json_lines(folder / EXAMPLES):
            if isinstance(line, BadLine):
                raise DamagedError(str(line))
            features.append(_feature(line.record))
        facts = {key: value for key, value in config.items() if key not in ("format", "format_version", "files", "sae")}
        return ExampleFolder(str(config["sae"]), facts, features)
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"{folder}: not examples of this version ({error!r}); gather them again") from error


def _record(feature: FeatureExamples) -> dict[str, Any]:
    sides = {key: getattr(feature, field)._asdict() for field, key in SIDES.items()}
    return {
        "id": feature.feature_id,
        "documents": feature.documents,
        "frequency": round(feature.frequency, 7),
        "activations": feature.activations,
        **{key: {kind: [_example(e) for e in side[kind]] for kind in side} for key, side in sides.items()},
        "coactive": feature.coactive,
    }


def _example(example: Example) -> dict[str, Any]:
    whole = example.sentence and example.sentence != example.passage
    facts = {
        "id": example.id,
        "document": example.document,
        "text": example.passage[: MOST_CHARACTERS // 2 if whole else MOST_CHARACTERS],
        "activation": example.activation,
        "sentence": example.sentence and example.sentence[:MOST_CHARACTERS],
        "foil": example.foil and example.foil[:MOST_CHARACTERS],
    }
    return {key: value for key, value in facts.items() if value is not None}


def _feature(record: Mapping[str, Any]) -> FeatureExamples:
    return FeatureExamples(
        feature_id=int(record["id"]),
        documents=int(record["documents"]),
        frequency=float(record["frequency"]),
        activations=tuple(map(float, record["activations"])),
        coactive=tuple((int(j), float(index)) for j, index in record["coactive"]),
        **{field: _side(record[key]) for field, key in SIDES.items()},
    )


def _side(record: Mapping[str, Any]) -> Side:
    return Side(**{kind: tuple(_read_example(**facts) for facts in record[kind]) for kind in Side._fields})


def _read_example(text: str, **facts: Any) -> Example:
    return Example(passage=text, **facts)
