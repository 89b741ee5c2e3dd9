"""The interface of search modes: queries, options, rankings."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...arrays import Float32, Float64
from ...explain import Explanation, Term
from ...explain.reading import NOT_COUNTED, Reading
from ...features import LISTED_WORDS, SteeredFeature
from ...steer import SteeringProfile
from ...text import clip
from ...views import View
from ..store.manifest import Manifest
from ..store.reader import IndexReader, Rows


@dataclass(frozen=True)
class SearchOptions:
    """How documents are ranked; the same for the command line, HTTP and Python.

    Args:
        by: a search mode of `registry`.
        steer: changes the documents before they are scored.
        views: the weight of each view whose score is added.
        exact: scan all vectors, even if there is an approximate engine.
        least: leave out hits with a lower score.
    """

    by: str = "dense"
    steer: SteeringProfile | None = None
    views: Mapping[View, float] = field(default_factory=dict)
    exact: bool = False
    least: float | None = None

    @property
    def factors(self) -> Mapping[int, float]:
        """The features to steer, with their factors."""
        return {} if self.steer is None else self.steer.factors


@dataclass(frozen=True)
class Query:
    """A query with its text, its vector, or both."""

    text: str
    vector: Float32 | None  # [m]; None if the mode needs none
    options: SearchOptions = SearchOptions()  # immutable
    read: Reading = NOT_COUNTED  # how much of it the encoder could read
    doubt: str = ""  # why its vector is probably not from the index's encoder
    unsteered: str = ""  # why the steering profile does not apply to it
    steered: tuple[SteeredFeature, ...] = ()

    def __repr__(self) -> str:
        return f"Query({clip(self.text, 80)!r}, by {self.options.by})"

    @property
    def plain(self) -> bool:
        """Whether it ranks by the encoder's own score."""
        return self.options.by == "dense" and not self.options.views and not self.options.factors


class Ranked(NamedTuple):
    """Rows by descending score."""

    rows: Rows
    scores: Float64


class Companion:
    """A search mode or an engine that can store files beside an index; by default it stores none."""

    @classmethod
    def seals(cls, folder: Path) -> Iterable[Path]:
        """The records with the hashes of its files, one for each complete set of files."""
        return ()

    @classmethod
    def stale(cls, folder: Path, manifest: Manifest) -> Iterable[Path]:
        """Its files and folders that do not match the state of the index in `manifest`."""
        return ()


def by_generation(folder: Path, name: re.Pattern[str]) -> dict[Path, int]:
    """Files and folders whose names match `name`, with the generation from its first group."""
    found = {path: name.fullmatch(path.name) for path in sorted(folder.iterdir())}
    return {path: int(match[1]) for path, match in found.items() if match}


class Ranking(Companion, ABC):
    """One query ranked in one mode. Each mode's file sets `MODE` to its class."""

    def __init__(self, index: IndexReader, query: Query) -> None:
        self.index, self.query = index, query

    @classmethod
    def of(cls, index: IndexReader, query: Query) -> Ranking:
        """The ranking of a query in this mode."""
        return cls(index, query)

    @property
    def q(self) -> Float32:
        """The query's vector, in modes that need it."""
        assert self.query.vector is not None
        return self.query.vector

    @abstractmethod
    def rank(self, k: int, among: Rows | None) -> Ranked:
        """The best k rows. `among` restricts them to some rows, ascending and not deleted."""

    @abstractmethod
    def split(self, rows: Rows) -> Sequence[Explanation]:
        """Split the score of each row, using only what the index stores. `explain_rows` adds ids and texts."""

    def by_feature(
        self, rows: Rows, weights: Mapping[int, float], detail: Callable[[int, float], Mapping[str, float]], note: str
    ) -> list[Explanation]:
        """Each row's score as the sum of its activations times the features' weights.

        Args:
            detail: gives the numbers behind a share, from the feature and its activation.
        """
        codes = self.index.codes(rows, self.index.manifest.views[0])
        out = []
        for features, values in zip(codes.features.tolist(), codes.values.tolist(), strict=True):
            terms = [
                self.feature(j, weights[j] * value, detail(j, value))
                for j, value in zip(features, values, strict=True)
                if value > 0 and j in weights
            ]
            out.append(self.taken_apart(terms, note))
        return out

    def feature(self, j: int, share: float, detail: Mapping[str, float]) -> Term:
        """The term of a feature."""
        known = self.index.explainer.features[j]
        return Term(
            "feature",
            j,
            known.label,
            share,
            detail=detail,
            confidence=known.confidence,
            corpus_words=known.words[:LISTED_WORDS],
        )

    def taken_apart(
        self, terms: Iterable[Term], note: str = "", *, score: float | None = None, bias: float = 0.0,
        remainder: float = 0.0, mode: str = ""
    ) -> Explanation:  # fmt: skip
        """The explanation of one score, which defaults to the sum of the terms."""
        ordered = sorted(terms, key=lambda term: -term.share)
        return Explanation(
            score=sum(term.share for term in ordered) if score is None else score,
            bias=bias,
            remainder=remainder,
            terms=tuple(ordered),
            mode=mode or self.query.options.by,
            note=note,
        )


def word(text: str, share: float) -> Term:
    """The term of a word."""
    return Term("word", None, f'"{text}"', share)


def mode_class(name: str) -> type[Ranking]:
    """The class of a search mode."""
    found: type[Ranking] = import_module(f"{__package__}.{name}").MODE
    return found


def best(rows: Rows, scores: Float64, k: int) -> Ranked:
    """The k largest scores; equal scores are ordered by row."""
    top = _largest(scores, k)
    top = top[np.lexsort((rows[top], -scores[top]))]
    return Ranked(rows[top], scores[top])


def _largest(scores: Float32 | Float64, k: int) -> Rows:
    """The positions of the k largest scores, in any order. Of equal scores at the cutoff, the first are taken."""
    if k >= len(scores):
        return np.arange(len(scores))
    cutoff = np.partition(scores, len(scores) - k)[len(scores) - k]
    above = np.flatnonzero(scores > cutoff)
    return np.concatenate([above, np.flatnonzero(scores == cutoff)[: k - len(above)]])
