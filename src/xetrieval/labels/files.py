"""Examples as a folder: config.json, and examples.jsonl with one feature a line. It holds text of the corpus."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..data import BadLine, read_json_lines
from ..errors import DamagedError, MismatchError
from ..files import Kind, new_folder, read_manifest, write_manifest, write_text
from .examples import Example, FeatureExamples, Texts

KIND: Final = Kind("xetrieval-examples", 1, "examples")
EXAMPLES: Final = "examples.jsonl"
MOST_LETTERS: Final = 600  # of a text that is kept


@dataclass(frozen=True)
class ExampleFolder:
    """The examples of every feature of one autoencoder, and what they were drawn from."""

    sae: str  # digest
    facts: Mapping[str, Any]
    features: Sequence[FeatureExamples]

    def check(self, sae: str, place: str) -> None:
        """Refuse examples of another autoencoder.

        Raises:
            MismatchError: they are.
        """
        if self.sae != sae:
            raise MismatchError(
                f"{place}: examples of another autoencoder (sae {self.sae}, not {sae}); gather them for this one"
            )


def save_examples(folder: Path, sae: str, features: Sequence[FeatureExamples], facts: Mapping[str, Any]) -> None:
    """Write a folder, whole or not at all.

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
        InputError: no such folder. DamagedError: a file was altered, is missing, or has another form.
    """
    config = read_manifest(folder, KIND)
    features: list[FeatureExamples] = []
    try:
        for line in read_json_lines(folder / EXAMPLES):
            if isinstance(line, BadLine):
                raise DamagedError(str(line.error()))
            features.append(_feature(line.record))
        facts = {key: value for key, value in config.items() if key not in ("format", "format_version", "files", "sae")}
        return ExampleFolder(str(config["sae"]), facts, features)
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"{folder}: not examples of this release ({error!r}); gather them again") from error


def _record(feature: FeatureExamples) -> dict[str, Any]:
    return {
        "id": feature.feature_id,
        "documents": feature.documents,
        "frequency": round(feature.frequency, 7),
        "activations": list(feature.activations),
        "shown": _side(feature.shown),
        "judged": _side(feature.judged),
        "coactive": [list(pair) for pair in feature.coactive],
    }


def _side(texts: Texts) -> dict[str, Any]:
    return {name: [_example(example) for example in examples] for name, examples in texts._asdict().items()}


def _example(example: Example) -> dict[str, Any]:
    facts = example._asdict() | {
        name: text[:MOST_LETTERS] if (text := getattr(example, name)) else None for name in ("text", "sentence", "foil")
    }
    if example.sentence and example.sentence != example.text:
        facts["text"] = example.text[: MOST_LETTERS // 2]
    return {key: value for key, value in facts.items() if value is not None}


def _feature(record: Mapping[str, Any]) -> FeatureExamples:
    return FeatureExamples(
        feature_id=int(record["id"]),
        documents=int(record["documents"]),
        frequency=float(record["frequency"]),
        activations=tuple(map(float, record["activations"])),
        shown=_texts(record["shown"]),
        judged=_texts(record["judged"]),
        coactive=tuple((int(j), float(index)) for j, index in record["coactive"]),
    )


def _texts(record: Mapping[str, Any]) -> Texts:
    return Texts(**{name: tuple(Example(**example) for example in record[name]) for name in Texts._fields})
