"""How retrieval, steering and names are measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from ..errors import InputError
from .option import LARGEST_FACTOR, SAMPLES, Checked, Option, Range, Seed


@dataclass(frozen=True)
class WeightsConfig:
    """The maximum number of competing documents, how strongly weights are pulled to 0, and the seed of the sample."""

    documents: int = 2000
    ridge: float = 0.01
    seed: int = 0


@dataclass(frozen=True)
class RetrievalConfig(Checked):
    """How systems are compared.

    Args:
        weights: "sum" is the paper's: every view has weight 1. "learned" learns them on one half of the queries and
        ranks the other half with them, then the reverse, so that no query is ranked with weights learned from it.
    """

    weights: Annotated[
        str, Option("sum (as in the paper), or learned on one half of the queries for the other.", "--view-weights")
    ] = "sum"
    resamples: int = 5000
    seed: Annotated[Seed, SAMPLES] = 0
    learning: WeightsConfig = field(default_factory=WeightsConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weights not in ("sum", "learned"):
            raise InputError(f"weights {self.weights!r}: choose sum or learned")


@dataclass(frozen=True)
class SteeringConfig(Checked):
    """Which factors, and how many features.

    Args:
        alphas: 1 changes nothing apart from the reconstruction error.
        fraction: the largest set of features, as a fraction of F; 1/8 is 384 of 3072, 1/32 is 96.
    """

    alphas: Annotated[
        tuple[float, ...],
        Option("Factors for the activations, separated by commas.", "--factors"),
        Range(0, LARGEST_FACTOR),
    ] = (0.0, 0.5, 1.0, 1.5, 2.0)
    fraction: Annotated[
        float,
        Option("Size of the largest set of features, as a fraction of all."),
        Range(0, 1, above=True, below=True),
    ] = 0.125
    seed: Annotated[Seed, SAMPLES] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.alphas:
            raise InputError("steering: give at least one factor")


Kind = Literal["scale", "project"]  # what the factors of a steering profile do
Loss = Literal["softmax", "pairs"]


@dataclass(frozen=True)
class SuggestConfig(Checked):
    """What to try.

    Args:
        features, ridges: all combinations are tried, as well as no steering.
        documents: drawn at random from the index to compete with the judged ones. (Its top ranks are documents that it
        overrates, so the loss would turn against their features.)
    """

    kind: Annotated[Kind, Option("What factors do: scale activations, or project features out.")] = "scale"
    loss: Annotated[Loss, Option("softmax, or pairs of a judged document and another.")] = "softmax"
    features: tuple[int, ...] = (4, 16)
    ridges: tuple[float, ...] = (0.003, 0.03)
    folds: Annotated[int, Range(2)] = 5
    documents: Annotated[int, Range(1)] = 1500
    reranked: Annotated[int, Range(10)] = 50  # best documents, reranked to compare choices by NDCG@10
    resamples: int = 5000
    seed: Annotated[Seed, Option("Same seed, same folds.")] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.features or not self.ridges:
            raise InputError("steering: give at least one number of features and one ridge")


@dataclass(frozen=True)
class NamesConfig(Checked):
    """Which pairs are drawn, and what a reader sees of them."""

    pairs: Annotated[int, Option("Number of pairs; half are relevant hits, if there are enough."), Range(1)] = 60
    decoys: Annotated[int, Option("Names of inactive features that are added to each pair."), Range(0)] = 2
    seed: Annotated[Seed, SAMPLES] = 0


ARMS: Final = ("true", "shuffled", "phrases", "words", "nothing")


@dataclass(frozen=True)
class SimulatabilityConfig(Checked):
    """Which questions are drawn, and what they show instead of the explanation."""

    questions: Annotated[int, Option("Questions of each part in each arm."), Range(1)] = 40
    arms: Annotated[tuple[str, ...], Option("What is shown, separated by commas.")] = ARMS
    repeat: Annotated[bool, Option("Ask each question in every arm. Not for people, who would recognise it.")] = False
    seed: Annotated[Seed, SAMPLES] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.arms or not set(self.arms) <= set(ARMS) or len(set(self.arms)) < len(self.arms):
            raise InputError(f"arms {', '.join(self.arms)!r}: choose from {', '.join(ARMS)}, each once")
