"""What would have to change for two documents to change places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .records import CounterfactualRecord


@dataclass(frozen=True)
class Counterfactual:
    """Two changes, each by itself: features erased from the document ahead, or a factor on the one behind."""

    ahead: Literal["first", "second"]
    ahead_score: float
    behind_score: float
    erased: tuple[tuple[int, str], ...]  # (id, name); empty: no set was found
    erased_score: float | None  # of the document ahead, without them
    minimal: bool  # no proper subset of `erased` does it
    most_erased: int  # features that the search may take at once
    boosted: tuple[int, ...]  # what the query shares with the other's original view
    factor: float | None  # on their activations; None: none was found
    boosted_score: float | None  # of the document behind, with it
    largest_factor: float

    @property
    def behind(self) -> Literal["first", "second"]:
        """The other document."""
        return "second" if self.ahead == "first" else "first"

    def sentences(self) -> list[str]:
        """Both changes in words."""
        if self.erased_score is None:
            erased = f"no {self.most_erased} or fewer shared features hold the {self.ahead} document above the other"
        else:
            names = "; ".join(name for _, name in self.erased)
            least = "" if self.minimal else " (perhaps not the fewest)"
            erased = (
                f"without {names}{least}, the {self.ahead} document would score {self.erased_score:+.4f}, "
                f"below the {self.behind} with {self.behind_score:+.4f}"
            )
        if self.factor is None:
            lifted = f"no factor up to {self.largest_factor:g} on what the {self.behind} document shares lifts it above"
        else:
            lifted = (
                f"with {self.factor:.2f} times the activation of what it shares with the query, the {self.behind} "
                f"document would pass the {self.ahead} with its {self.ahead_score:+.4f}"
            )
        return [erased, lifted]

    def to_dict(self) -> CounterfactualRecord:
        """As JSON holds it."""
        return {
            "ahead": self.ahead,
            "erase": None
            if self.erased_score is None
            else {
                "features": [{"feature_id": i, "name": name} for i, name in self.erased],
                "score": self.erased_score,
                "minimal": self.minimal,
            },
            "boost": None
            if self.factor is None
            else {"features": list(self.boosted), "factor": self.factor, "score": self.boosted_score},
        }
