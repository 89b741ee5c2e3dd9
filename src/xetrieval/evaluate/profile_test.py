"""What a steering profile does to judged or logged queries, before it is kept.

Harm and NDCG@10 are over all queries: those out of the profile's scope keep their rankings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ..errors import InputError
from ..features import SteeredFeature
from ..index import Index
from ..index.ask.others import DEPTH, JUDGED, TOP, OtherQueries, harm_of, ndcg_of, rows_left
from ..index.search.mode import SearchOptions
from ..index.search.ranking import prepare, rank
from ..index.store.reader import Rows
from ..records import Record
from ..steer import SteeringProfile
from .retrieval import compared

RESAMPLES: Final = 10_000


@dataclass(frozen=True)
class ProfileTest(Record):
    """The rankings of some queries without and with a profile."""

    features: tuple[SteeredFeature, ...]
    kind: str
    scope: str
    queries: int
    in_scope: int
    changed: int  # queries with other documents in the top 10
    harm: float
    ndcg10: float | None = None  # in percent, of judged queries
    ndcg10_steered: float | None = None
    gain: float | None = None
    ci_low: float | None = None  # lower end of the gain's 95 % interval
    ci_high: float | None = None
    p_value: float | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        """The result in words."""
        of = f"{self.queries:,} {'query' if self.queries == 1 else 'queries'}"
        out = [
            f"in scope: {self.in_scope:,} of {of}; other documents in the top 10 of {self.changed:,}; "
            f"harm {self.harm:.3f}"
        ]
        if self.gain is not None:
            out.append(
                f"NDCG@10 {self.ndcg10:.2f} to {self.ndcg10_steered:.2f}: {self.gain:+.2f} "
                f"({self.ci_low:+.2f} to {self.ci_high:+.2f}, p = {self.p_value:.3f})"
            )
        return tuple(out)


def profile_test(
    index: Index, profile: SteeringProfile, queries: OtherQueries, edited: Index | None = None
) -> ProfileTest:
    """Rank every query without and with the profile.

    Args:
        edited: the index with the profile's features removed from its vectors, by `remove_features`; searched instead.
    Raises:
        InputError: an index without documents. MissingExtra: SciPy is not installed, and the queries are judged.
    """
    if not len(index) or (edited is not None and not len(edited)):
        raise InputError("the index has no documents: there is no ranking to compare")
    before = _ranked(index, queries, None)
    after = _ranked(index, queries, profile) if edited is None else _ranked(edited, queries, None)
    changed = sum(set(old[:TOP]) != set(new[:TOP]) for old, new in zip(before.tolist(), after.tolist(), strict=True))
    made = ProfileTest(
        features=profile.named(index.explainer.features),
        kind=profile.kind,
        scope=str(profile.scope),
        queries=len(queries.vectors),
        in_scope=sum(profile.scope.has(q) for q in queries.vectors),
        changed=changed,
        harm=round(float(harm_of(before[:, :DEPTH], after[:, :DEPTH]).mean()), 4),
    )
    if not queries.judgments:
        return made
    plain, steered = (ndcg_of(index, queries, rows) for rows in (before, after))
    found = compared(steered, plain, RESAMPLES, 0)
    return replace(
        made,
        ndcg10=round(100 * float(plain.mean()), 3),
        ndcg10_steered=found["ndcg10"],
        gain=found["delta"],
        **{name: found[name] for name in ("ci_low", "ci_high", "p_value")},
    )


def _ranked(index: Index, queries: OtherQueries, profile: SteeringProfile | None) -> Rows:
    """The top rows of every query, [o, JUDGED] or fewer."""
    depth = rows_left(index, queries.own, JUDGED)
    out = []
    for q, own in zip(queries.vectors, queries.own, strict=True):
        rows = rank(index, prepare(index, q, SearchOptions(steer=profile, exact=True)), depth + max(1, len(own))).rows
        out.append(rows[~np.isin(rows, own)][:depth])
    return np.stack(out)
