"""How features get examples, labels and scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from ..errors import InputError
from ..registry import LABEL_SCORES
from .option import CONCURRENCY, RETRIES, Option, check_seed

Negatives = Literal["random", "hard"]
Active = Literal["range", "strongest"]
NEGATIVES: Final[tuple[Negatives, ...]] = ("random", "hard")
LEAST_TEXTS: Final = 4  # the least number of active texts, and of silent ones


@dataclass(frozen=True)
class ExamplesConfig:
    """How many texts of each kind a feature gets, for labellers and again for judges."""

    top: Annotated[int, Option("The strongest texts of a feature.")] = 10
    spread: Annotated[int, Option("Texts from the rest of its activation range.")] = 10
    contrast: Annotated[int, Option("Inactive texts drawn at random, and similar ones.", "--inactive")] = 10
    per_document: Annotated[
        int, Option("Sentences of each document to use, in addition to the document itself.", "--sentences")
    ] = 9
    seed: Annotated[int, Option("Same seed, same examples.")] = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if min(self.top, self.spread, self.contrast) < 1 or self.per_document < 0:
            raise InputError("examples: top, spread and contrast must be >= 1, per_document >= 0")


@dataclass(frozen=True)
class LlmLabelConfig:
    """How a language model is asked for labels."""

    candidates: Annotated[int, Option("How many labels to ask for per feature; the one that fits best is kept.")] = 3
    retries: Annotated[int, RETRIES] = 2
    concurrency: Annotated[int, CONCURRENCY] = 8
    prompt: Annotated[
        str | None, Option("A built-in prompt or your own file; default: label, or label_uses for an index.")
    ] = None

    def __post_init__(self) -> None:
        if self.candidates < 1 or self.retries < 0 or self.concurrency < 1:
            raise InputError("labels: candidates and concurrency must be >= 1, retries >= 0")


@dataclass(frozen=True)
class ScoresConfig:
    """Which scores, on how many features and texts."""

    kinds: Annotated[
        tuple[str, ...], Option(f"Scores, separated by commas: {', '.join(LABEL_SCORES)}.", "--scores")
    ] = LABEL_SCORES
    negatives: Annotated[
        tuple[Negatives, ...], Option("Inactive texts: random, hard (similar to the active ones), or both.")
    ] = NEGATIVES
    features: Annotated[int | None, Option("Score a sample of this many features; default: all.", "--sample")] = None
    texts: Annotated[int, Option("Active texts per feature, and equally many inactive.", "--texts-per-feature")] = 10
    active: Annotated[Active, Option("Active texts: range (spread over all activations), or strongest.")] = "range"
    shuffled: Annotated[
        bool, Option("Also score each label on another feature's texts.", "--shuffled/--no-shuffled")
    ] = True
    concurrency: Annotated[int, CONCURRENCY] = 8
    seed: Annotated[int, Option("Same seed, same questions.")] = 0

    def __post_init__(self) -> None:
        unknown = {*self.kinds} - {*LABEL_SCORES} | {*self.negatives} - {*NEGATIVES}
        twice = len({*self.kinds}) < len(self.kinds) or len({*self.negatives}) < len(self.negatives)
        if unknown or twice or not self.kinds or not self.negatives:
            raise InputError(
                f"scores: kinds are {', '.join(LABEL_SCORES)}; negatives are {', '.join(NEGATIVES)}; each once"
            )
        if self.active not in ("range", "strongest"):
            raise InputError(f"scores: active {self.active!r} is unknown; choose range or strongest")
        check_seed(self.seed)
        if self.texts < LEAST_TEXTS or (self.features is not None and self.features < 1):
            raise InputError(f"scores: at least {LEAST_TEXTS} texts and one feature")
        if self.concurrency < 1:
            raise InputError("scores: concurrency must be at least 1")
