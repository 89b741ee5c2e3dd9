"""How retrieval, steering and labels are measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from ..errors import InputError
from .option import LARGEST_FACTOR, SEED, Option, check_seed


@dataclass(frozen=True)
class WeightsConfig:
    """The most documents that compete, how strongly weights are pulled towards 0, and the seed of the sample."""

    documents: int = 2000
    ridge: float = 0.01
    seed: int = 0


@dataclass(frozen=True)
class RetrievalConfig:
    """How systems are compared.

    Args:
        weights: "sum" is the paper's: every view has weight 1. "learned" learns them on one half of the queries and
        ranks the other half with them, then the reverse, so that no query is ranked with weights learned from it.
    """

    weights: Annotated[
        str, Option("sum (as in the paper), or learned on one half of the queries for the other.", "--view-weights")
    ] = "sum"
    resamples: int = 5000
    seed: Annotated[int, SEED] = 0
    learning: WeightsConfig = field(default_factory=WeightsConfig)

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if self.weights not in ("sum", "learned"):
            raise InputError(f"weights {self.weights!r}: choose sum or learned")


@dataclass(frozen=True)
class SteeringConfig:
    """Which factors, and how many features.

    Args:
        alphas: 1 changes nothing apart from the reconstruction error.
        fraction: the largest set of features, as a fraction of F; 1/8 is 384 of 3072, 1/32 is 96.
    """

    alphas: Annotated[tuple[float, ...], Option("Factors for the activations, separated by commas.", "--factors")] = (
        0.0,
        0.5,
        1.0,
        1.5,
        2.0,
    )
    fraction: Annotated[float, Option("Size of the largest set of features, as a fraction of all.")] = 0.125
    seed: Annotated[int, SEED] = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if not self.alphas or not all(0 <= alpha <= LARGEST_FACTOR for alpha in self.alphas):
            raise InputError(f"steering: factors must be numbers from 0 to {LARGEST_FACTOR:g}")
        if not 0 < self.fraction < 1:
            raise InputError("steering: the fraction of the features must be a number between 0 and 1")


@dataclass(frozen=True)
class SuggestConfig:
    """What to try.

    Args:
        features, ridges: all combinations are tried, as well as no steering.
        documents: drawn at random from the index to compete with the judged ones. (Its top ranks are documents that it
        overrates, so the loss would turn against their features.)
    """

    features: tuple[int, ...] = (4, 16)
    ridges: tuple[float, ...] = (0.003, 0.03)
    folds: int = 5
    documents: int = 1500
    reranked: int = 50  # documents that are reranked to compare choices; at least the ten that NDCG@10 looks at
    resamples: int = 5000
    seed: Annotated[int, Option("Same seed, same folds.")] = 0

    def __post_init__(self) -> None:
        if self.folds < 2 or not self.features or not self.ridges or self.documents < 1 or self.reranked < 10:
            raise InputError("steering: give at least two folds, one number of features and one ridge")
        check_seed(self.seed)


@dataclass(frozen=True)
class LabelsConfig:
    """How many labelled features are judged, and on how many active and inactive texts of each."""

    features: Annotated[int | None, Option("Judge a sample of this many labelled features.", "--sample")] = 200
    texts: Annotated[int, Option("Active texts per feature, and equally many inactive.", "--texts-per-feature")] = 10
    seed: Annotated[int, SEED] = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if (self.features is not None and self.features < 2) or self.texts < 1:
            raise InputError("labels: a sample needs at least two features, with at least one text each")


@dataclass(frozen=True)
class NamesConfig:
    """Which pairs are drawn, and what a reader sees of them."""

    pairs: Annotated[int, Option("Number of pairs; half of them are relevant hits, if there are enough.")] = 60
    decoys: Annotated[int, Option("Names of inactive features that are added to each pair.")] = 2
    seed: Annotated[int, SEED] = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if self.pairs < 1 or self.decoys < 0:
            raise InputError("names: there must be at least one pair, and decoys cannot be negative")
