"""What would have to change for a document to leave the top of a ranking, or to enter it."""

from __future__ import annotations

from dataclasses import dataclass

from .records import RankChangeRecord


@dataclass(frozen=True)
class RankChange:
    """One document against the score at the edge of the top k: features erased from it, or a factor on what it has."""

    rank: int  # of the document now
    k: int
    edge: float  # the score to fall below (it is in the top k), or to rise above (it is not)
    erased: tuple[tuple[int, str], ...] = ()  # (id, name); empty: none was found, or none was looked for
    minimal: bool = False  # no proper subset of `erased` does it
    most_erased: int = 0
    boosted: tuple[int, ...] = ()  # what the query shares with the document's original view
    factor: float | None = None
    largest_factor: float = 0.0
    score: float | None = None  # of the changed document; None: nothing was found

    @property
    def inside(self) -> bool:
        """Whether the document is in the top k now."""
        return self.rank <= self.k

    def sentences(self) -> list[str]:
        """The change in words."""
        if self.inside and self.score is None:
            return [f"no {self.most_erased} or fewer shared features hold the document in the top {self.k}"]
        if self.inside:
            names = "; ".join(name for _, name in self.erased)
            least = "" if self.minimal else " (perhaps not the fewest)"
            return [
                f"without {names}{least}, the document would score {self.score:+.4f} and leave the top {self.k}, "
                f"which ends at {self.edge:+.4f}"
            ]
        if self.score is None:
            return [
                f"no factor up to {self.largest_factor:g} on what the document shares with the query lifts it into the "
                f"top {self.k}, which ends at {self.edge:+.4f}"
            ]
        return [
            f"with {self.factor:.2f} times the activation of what it shares with the query, the document would enter "
            f"the top {self.k}, which ends at {self.edge:+.4f}"
        ]

    def to_dict(self) -> RankChangeRecord:
        """As JSON holds it."""
        return {
            "rank": self.rank,
            "k": self.k,
            "edge": self.edge,
            "erase": None
            if not self.erased
            else {
                "features": [{"feature_id": i, "name": name} for i, name in self.erased],
                "score": self.score,
                "minimal": self.minimal,
            },
            "boost": None
            if self.factor is None
            else {"features": list(self.boosted), "factor": self.factor, "score": self.score},
        }
