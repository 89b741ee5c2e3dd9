"""A ranking with a steering profile beside the one without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...steer import SteeringProfile
from ..search.mode import SearchOptions
from ..search.ranking import prepare, rank
from ..store.texts import StoredDocument
from .records import MoveRecord
from .why import rank_of

if TYPE_CHECKING:
    from ..store.reader import IndexReader as Index


class Move(NamedTuple):
    """One document of the steered ranking, and where it stood before."""

    rank: int
    before_rank: int
    score: float
    before_score: float
    document: StoredDocument

    def to_dict(self) -> MoveRecord:
        """As JSON holds it."""
        return {
            "id": self.document.id,
            "title": self.document.title,
            "rank": self.rank,
            "before_rank": self.before_rank,
            "score": self.score,
            "before_score": self.before_score,
        }


def moves(index: Index, query: str | Any, profile: SteeringProfile, k: int = 10) -> list[Move]:
    """The best k documents with the profile."""
    asked = prepare(index, query, SearchOptions(steer=profile))
    assert asked.vector is not None
    ranked = rank(index, asked, k)
    plain = index.vectors(ranked.rows) @ asked.vector
    return [
        Move(place, rank_of(index, asked.vector, row), score, float(before), index.document(row))
        for place, (row, score, before) in enumerate(
            zip(ranked.rows.tolist(), ranked.scores.tolist(), np.asarray(plain), strict=True), 1
        )
    ]
