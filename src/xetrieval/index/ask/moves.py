"""A ranking with a steering profile, the ranks of its documents without it, and factors from judged hits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...arrays import Float32
from ...explain.explanation import steered_note
from ...features import SteeredFeature
from ...records import Record
from ...steer import SteeringProfile
from ...steer.learn import LearnConfig, competition_of, learn_factors
from ...steer.trials import best_places
from ..search.mode import SearchOptions
from ..search.ranking import check_k, prepare, rank
from .why import all_scores, rank_in

if TYPE_CHECKING:
    from ..store.reader import IndexReader as Index


@dataclass(frozen=True)
class Move(Record):
    """One document of the steered ranking, and its rank before."""

    doc_id: str
    title: str
    text: str
    rank: int
    before_rank: int
    score: float
    before_score: float

    json_keys = ("doc_id", "title", "rank", "before_rank", "score", "before_score")


@dataclass(frozen=True)
class SteeredRanking(Record):
    """The best documents with a profile, and those that would be among the best without it."""

    query: str
    steered: tuple[SteeredFeature, ...]  # "before" means without them
    hits: tuple[Move, ...]
    hits_lost: tuple[Move, ...]  # of the best k without the profile: those that left, by their rank before
    notes: tuple[str, ...] = ()  # which features were turned up or down, or why none was


def moves(index: Index, query: str | Float32, profile: SteeringProfile, k: int = 10) -> SteeredRanking:
    """Rank documents with the profile and take the best k."""
    prepared = prepare(index, query, SearchOptions(steer=profile))
    assert prepared.vector is not None
    check_k(k)
    ranked, plain = rank(index, prepared, len(index)), all_scores(index, prepared.vector)
    wanted = np.union1d(ranked.rows[:k], best_places(plain[None], min(k, len(index)))[0])
    made = []
    for place in np.flatnonzero(np.isin(ranked.rows, wanted, assume_unique=True)).tolist():
        row, score = int(ranked.rows[place]), float(ranked.scores[place])
        stored = index.document(row)
        before = rank_in(plain, row)
        made.append(Move(stored.id, stored.title, stored.text, place + 1, before, score, float(plain[row])))
    note = steered_note(prepared.steered) if prepared.steered else prepared.unsteered
    lost = tuple(sorted(made[k:], key=lambda move: move.before_rank))
    return SteeredRanking(prepared.text, prepared.steered, tuple(made[:k]), lost, (note,) if note else ())


def factors_from_thumbs(
    index: Index, query: str, good: Sequence[int], bad: Sequence[int], features: int
) -> dict[int, float]:
    """Factors for at most `features` features with which the rows `good` would rank above the rows `bad`."""
    rows, sae = np.array([*good, *bad]), index.explainer.sae
    q, _ = index.query_vector(query)
    competition = competition_of(
        (index.vectors(rows).astype(np.float64) @ q.astype(np.float64))[None],
        np.asarray(q[None] @ sae.directions.T, np.float32),
        index.codes(rows, index.manifest.views[0]).dense(sae.features),
        [np.arange(len(good))],
    )
    learned = learn_factors(competition, LearnConfig(features, 0.01, 1))
    return {j: round(factor, 2) for j, factor in learned.items() if abs(factor - 1) >= 0.05}
