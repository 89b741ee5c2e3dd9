"""How features get examples, labels and scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from ..errors import InputError
from ..registry import LABEL_SCORES
from .option import Checked, Concurrency, Option, Range, Retries, Seed

Negatives = Literal["random", "hard"]
Active = Literal["range", "strongest"]
NEGATIVES: Final[tuple[Negatives, ...]] = ("random", "hard")
LEAST_TEXTS: Final = 4  # the least number of active texts, and of silent ones


@dataclass(frozen=True)
class ExamplesConfig(Checked):
    """How many texts of each kind a feature gets, for labellers and again for judges."""

    top: Annotated[int, Option("The strongest texts of a feature."), Range(1)] = 10
    spread: Annotated[int, Option("Texts from the rest of its activation range."), Range(1)] = 10
    contrast: Annotated[int, Option("Inactive texts drawn at random, and similar ones.", "--inactive"), Range(1)] = 10
    per_document: Annotated[
        int, Option("Sentences of each document to use, in addition to the document itself.", "--sentences"), Range(0)
    ] = 9
    seed: Annotated[Seed, Option("Same seed, same examples.")] = 0


@dataclass(frozen=True)
class LlmLabelConfig(Checked):
    """How a language model is asked for labels."""

    candidates: Annotated[
        int, Option("How many labels to ask for per feature; the one that fits best is kept."), Range(1)
    ] = 3
    retries: Retries = 2
    concurrency: Concurrency = 8
    prompt: Annotated[
        str | None, Option("A built-in prompt or your own file; default: label, or label_uses for an index.")
    ] = None


@dataclass(frozen=True)
class ScoresConfig(Checked):
    """Which scores, on how many features and texts."""

    kinds: Annotated[
        tuple[str, ...], Option(f"Scores, separated by commas: {', '.join(LABEL_SCORES)}.", "--scores")
    ] = LABEL_SCORES
    negatives: Annotated[
        tuple[Negatives, ...], Option("Inactive texts: random, hard (similar to the active ones), or both.")
    ] = NEGATIVES
    features: Annotated[
        int | None, Option("Score a sample of this many features; default: all.", "--sample"), Range(1)
    ] = None
    texts: Annotated[
        int,
        Option("Active texts per feature, and the same number of inactive ones.", "--texts-per-feature"),
        Range(LEAST_TEXTS),
    ] = 10
    active: Annotated[Active, Option("Active texts: range (spread over all activations), or strongest.")] = "range"
    shuffled: Annotated[
        bool, Option("Also score each label on another feature's texts.", "--shuffled/--no-shuffled")
    ] = True
    concurrency: Concurrency = 8
    seed: Annotated[Seed, Option("Same seed, same questions.")] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = {*self.kinds} - {*LABEL_SCORES} | {*self.negatives} - {*NEGATIVES}
        twice = len({*self.kinds}) < len(self.kinds) or len({*self.negatives}) < len(self.negatives)
        if unknown or twice or not self.kinds or not self.negatives:
            raise InputError(
                f"scores: kinds are {', '.join(LABEL_SCORES)}; negatives are {', '.join(NEGATIVES)}; each once"
            )
        if self.active not in ("range", "strongest"):
            raise InputError(f"scores: active {self.active!r} is unknown; choose range or strongest")
