"""The examples of a feature, and their form in prompts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

PROMPTS: Final = Path(__file__).resolve().parent.parent / "prompts"  # prompts of labellers and judges
MODEL_CHARACTERS: Final = 240  # the most characters of a text in a prompt


class Example(NamedTuple):
    """One passage and how strongly a feature is active on it."""

    id: str  # id of a document, or DOCUMENT#POSITION for a sentence
    document: str
    passage: str
    activation: float  # 0: silent
    sentence: str | None = None  # if the passage is a document: the sentence that carries the activation
    foil: str | None = None  # another sentence of the same document, on which the feature is silent

    @property
    def text(self) -> str:
        """What labellers and judges read: the sentence that carries the activation, else the passage."""
        return self.sentence or self.passage


class Side(NamedTuple):
    """The examples of a feature for labellers, or those for judges."""

    top: tuple[Example, ...]  # the strongest, in descending order
    spread: tuple[Example, ...]  # spread over the rest of the activation range, in descending order
    random: tuple[Example, ...]  # silent, drawn at random
    hard: tuple[Example, ...]  # silent, but most similar to the active ones

    @property
    def active(self) -> tuple[Example, ...]:
        """Strongest first."""
        return (*self.top, *self.spread)


@dataclass(frozen=True)
class FeatureExamples:
    """Examples and statistics of one feature in a corpus."""

    feature_id: int
    documents: int  # documents with a passage on which the feature is active
    frequency: float  # fraction of passages on which it is active
    activations: tuple[float, ...]  # a sample, in descending order
    labelling: Side
    judging: Side
    coactive: tuple[tuple[int, float], ...]  # other features, and the Jaccard index of the passages they are active on


def one_line(text: str, characters: int = MODEL_CHARACTERS) -> str:
    """A text as one line of a list, cut at a word boundary if it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= characters else line[:characters].rsplit(" ", 1)[0] + " ..."
