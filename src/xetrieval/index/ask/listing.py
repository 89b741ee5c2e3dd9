"""A ranking as a whole: what its hits have in common, what splits them, and what brings in those nobody wants.

Shares are those that each hit's own explanation shows; a feature that a hit does not share counts 0 there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ...errors import InputError
from ...explain import Explanation
from ..search.ranking import Hit, explain_rows
from .records import ListFeatureRecord, ListingRecord

if TYPE_CHECKING:
    from ..store.reader import IndexReader as Index

NEARLY_ALL: Final = 0.8  # of the hits
SHOWN: Final = 6


@dataclass(frozen=True)
class ListFeature:
    """One feature over a list of hits."""

    id: int
    name: str
    hits: int  # that share it with the query
    mean: float  # share, over all hits
    spread: float  # standard deviation of its share
    good: float = 0.0  # mean share in hits judged relevant
    bad: float = 0.0  # and in those judged not to be

    def to_dict(self, judged: bool) -> ListFeatureRecord:
        """As JSON holds it."""
        record: ListFeatureRecord = {
            "feature_id": self.id,
            "name": self.name,
            "hits": self.hits,
            "mean_share": self.mean,
            "spread": self.spread,
        }
        if judged:
            record["good"], record["bad"] = self.good, self.bad
        return record


@dataclass(frozen=True)
class Listing:
    """What a list of hits is made of."""

    hits: int
    common: tuple[ListFeature, ...]  # in at least 80 % of the hits, by mean share
    splitting: tuple[ListFeature, ...]  # in some but not in others, by how far their shares differ
    misleading: tuple[ListFeature, ...]  # more in the bad hits than in the good ones, by the difference
    judged: bool

    def to_dict(self) -> ListingRecord:
        """As JSON holds it."""
        record: ListingRecord = {
            "hits": self.hits,
            "common": [feature.to_dict(False) for feature in self.common],
            "splitting": [feature.to_dict(False) for feature in self.splitting],
        }
        if self.judged:
            record["misleading"] = [feature.to_dict(True) for feature in self.misleading]
        return record


def listing(
    index: Index, hits: Sequence[Hit], good: Sequence[str] = (), bad: Sequence[str] = (), shown: int = SHOWN
) -> Listing:
    """What the hits of one dense search are made of.

    Args:
        good, bad: ids of hits judged relevant, and not. With `good` alone all other hits count as bad; with `bad`
            alone all others as good.
    Raises:
        InputError: hits of another mode, or an id that is none of them.
    """
    if not hits:
        return Listing(0, (), (), (), False)
    ids = [hit.id for hit in hits]
    for name in (*good, *bad):
        if name not in ids:
            raise InputError(f"{name!r} is none of the {len(hits)} hits; ask for more of them")
    explained = explain_rows(index, hits[0].query, np.array([hit.row for hit in hits]))
    ids_of: list[dict[int, float]] = []
    for one in explained:
        if not isinstance(one, Explanation):
            raise InputError("an overview of hits is made of their cosine's shares: search by dense, without --view")
        ids_of.append({feature.id: feature.share for feature in one.features})
    features = np.array(sorted(set().union(*ids_of)), np.int64)
    shares = np.array([[has.get(int(j), 0.0) for j in features] for has in ids_of]).reshape(len(hits), -1)
    shared = np.array([[int(j) in has for j in features] for has in ids_of]).reshape(len(hits), -1)
    wanted, unwanted = _judged(ids, good, bad)
    rows = [
        ListFeature(
            int(j),
            index.explainer.features[j].name,
            int(shared[:, place].sum()),
            float(shares[:, place].mean()),
            float(shares[:, place].std()),
            float(shares[wanted, place].mean()) if wanted.any() else 0.0,
            float(shares[unwanted, place].mean()) if unwanted.any() else 0.0,
        )
        for place, j in enumerate(features)
    ]
    most = NEARLY_ALL * len(hits)
    judged = bool(wanted.any() and unwanted.any())
    misleading = [row for row in rows if row.bad > max(row.good, 0.0)] if judged else []
    return Listing(
        len(hits),
        tuple(sorted((row for row in rows if row.hits >= most), key=lambda row: -row.mean)[:shown]),
        tuple(sorted((row for row in rows if row.hits < most), key=lambda row: -row.spread)[:shown]),
        tuple(sorted(misleading, key=lambda row: row.good - row.bad)[:shown]),
        judged,
    )


def _judged(ids: Sequence[str], good: Sequence[str], bad: Sequence[str]) -> tuple[Any, Any]:
    wanted, unwanted = np.isin(ids, list(good)), np.isin(ids, list(bad))
    if not bad:
        unwanted = ~wanted & bool(good)
    if not good:
        wanted = ~unwanted & bool(bad)
    return wanted, unwanted
