"""Examples as a folder: config.json, and examples.jsonl with one feature per line. It contains texts of the corpus."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ...data import BadLine, read_json_lines
from ...errors import DamagedError, MismatchError
from ...files import Kind, new_folder, read_manifest, write_manifest, write_text
from ...records import read_record, record_of
from .base import Example, FeatureExamples, Side

KIND: Final = Kind("xetrieval-examples", 2, "examples")
EXAMPLES: Final = "examples.jsonl"
MOST_CHARACTERS: Final = 600  # the most characters of a stored text


@dataclass(frozen=True)
class ExampleFolder:
    """The examples of every feature of one autoencoder, and the corpus they come from."""

    sae: str  # digest
    facts: Mapping[str, object]
    features: Sequence[FeatureExamples]

    def check(self, sae: str, place: str) -> None:
        """Refuse examples of a different autoencoder."""
        if self.sae != sae:
            raise MismatchError(
                f"{place}: examples of a different autoencoder (sae {self.sae}, not {sae}); gather them for this one"
            )


def save_examples(folder: Path, sae: str, features: Sequence[FeatureExamples], facts: Mapping[str, object]) -> None:
    """Write a new folder, completely or not at all.

    Raises:
        InputError: it exists, or cannot be written.
    """
    with new_folder(folder) as scratch:
        short = (replace(one, labelling=_side(one.labelling), judging=_side(one.judging)) for one in features)
        lines = [json.dumps(record_of(feature), ensure_ascii=False) for feature in short]
        write_text(scratch / EXAMPLES, "".join(f"{line}\n" for line in lines))
        write_manifest(scratch, KIND, {"sae": sae, **facts}, [EXAMPLES])


def load_examples(folder: Path) -> ExampleFolder:
    """Read what `save_examples` wrote.

    Raises:
        InputError: no such folder. DamagedError: a file was altered, is missing, or has an unknown format.
    """
    config = read_manifest(folder, KIND)
    features: list[FeatureExamples] = []
    try:
        for line in read_json_lines(folder / EXAMPLES):
            if isinstance(line, BadLine):
                raise DamagedError(str(line))
            features.append(read_record(FeatureExamples, line.record))
        facts = {key: value for key, value in config.items() if key not in ("format", "format_version", "files", "sae")}
        return ExampleFolder(str(config["sae"]), facts, features)
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"{folder}: not examples of this version ({error!r}); gather them again") from error


def _shortened(example: Example) -> Example:
    most = MOST_CHARACTERS // 2 if example.sentence and example.sentence != example.passage else MOST_CHARACTERS
    return example._replace(
        passage=example.passage[:most],
        sentence=example.sentence and example.sentence[:MOST_CHARACTERS],
        foil=example.foil and example.foil[:MOST_CHARACTERS],
    )


def _side(side: Side) -> Side:
    return Side(*(tuple(map(_shortened, examples)) for examples in side))
