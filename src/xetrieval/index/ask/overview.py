"""Analyses a ranking as a whole: what its hits have in common, what sets them apart, and what brings in unwanted ones.

Shares are those in each hit's own explanation; a feature that a hit does not share counts as 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...features import LabelledFeature
from ...records import Record
from ..search.ranking import Hit

if TYPE_CHECKING:
    from ..store.reader import IndexReader as Index

NEARLY_ALL: Final = 0.8  # fraction of the hits
FEATURES: Final = 6  # number of features in each part


@dataclass(frozen=True)
class OverviewFeature(LabelledFeature):
    """One feature over a list of hits."""

    hits: int  # number of hits that share it with the query
    mean_share: float  # over all hits
    spread: float  # standard deviation of its share
    good: float  # mean share in hits judged relevant; 0 if none was
    bad: float  # mean share in hits judged irrelevant; 0 if none was


@dataclass(frozen=True)
class Overview(Record):
    """Features that many hits of a search share, and features that set them apart."""

    hits: int
    common: tuple[OverviewFeature, ...]  # features of at least 80 % of the hits, by mean share
    splitting: tuple[OverviewFeature, ...]  # features of only some hits, by how much their shares differ
    misleading: tuple[OverviewFeature, ...]  # features with larger shares in bad hits than in good ones
    judged: bool

    json_keys = ("hits", "common", "splitting", "misleading?")


def check_thumbs(good: Sequence[str], bad: Sequence[str]) -> None:
    """Raise InputError if a hit is judged both ways."""
    if both := set(good) & set(bad):
        raise InputError(f"{min(both)!r}: a hit cannot be both good and bad")


def overview(
    index: Index, hits: Sequence[Hit], good: Sequence[str] = (), bad: Sequence[str] = (), features: int = FEATURES
) -> Overview:
    """What the hits of one dense search have in common and what sets them apart.

    Args:
        good, bad: ids of hits judged relevant and irrelevant. With `good` alone, all other hits count as bad; with
        `bad` alone, all others count as good.
    Raises:
        InputError: hits of another mode, or an id that is not one of them.
    """
    if not hits:
        return Overview(0, (), (), (), judged=False)
    ids = [hit.doc_id for hit in hits]
    check_thumbs(good, bad)
    for name in (*good, *bad):
        if name not in ids:
            raise InputError(f"{name!r} is not one of the {len(hits)} hits; search for more of them")
    if any(hit.explanation.mode != "dense" for hit in hits):
        raise InputError("an overview needs the cosine's shares: search by dense, without --view")
    share_of = [{j: term.share for term in hit.explanation.terms for j in term.ids[:1]} for hit in hits]
    every = sorted(set().union(*share_of))
    shares = np.array([[own.get(j, 0.0) for j in every] for own in share_of]).reshape(len(hits), -1)
    shared = np.array([[j in own for j in every] for own in share_of]).reshape(len(hits), -1)
    wanted, unwanted = _judged(ids, good, bad)
    rows = [
        OverviewFeature(
            feature_id=j,
            label=index.explainer.features[j].label,
            hits=int(shared[:, i].sum()),
            mean_share=float(shares[:, i].mean()),
            spread=float(shares[:, i].std()),
            good=float(shares[wanted, i].mean()) if wanted.any() else 0.0,
            bad=float(shares[unwanted, i].mean()) if unwanted.any() else 0.0,
        )
        for i, j in enumerate(every)
    ]
    most = NEARLY_ALL * len(hits)
    judged = bool(wanted.any() and unwanted.any())
    misleading = [row for row in rows if row.bad > max(row.good, 0.0)] if judged else []
    return Overview(
        len(hits),
        tuple(sorted((row for row in rows if row.hits >= most), key=lambda row: -row.mean_share)[:features]),
        tuple(sorted((row for row in rows if row.hits < most), key=lambda row: -row.spread)[:features]),
        tuple(sorted(misleading, key=lambda row: row.good - row.bad)[:features]),
        judged,
    )


def _judged(ids: Sequence[str], good: Sequence[str], bad: Sequence[str]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    wanted, unwanted = np.isin(ids, list(good)), np.isin(ids, list(bad))
    if not bad:
        unwanted = ~wanted & bool(good)
    if not good:
        wanted = ~unwanted & bool(bad)
    return wanted, unwanted
