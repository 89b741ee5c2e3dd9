"""What pushes a document down for a query, or brings it up, and what else that changes.

A proposal is a profile of the kind project with at most three features, for all queries or for queries like this one.
Features in which the document differs from its rivals are candidates: those that carry more of its score than of theirs
are turned down to push it down, and up to bring it up; other candidates the opposite way. All small sets of candidates
and factors are tried on the best documents of this query, and some on those of other queries (`steer.trials`). The best
are measured on the whole index. Only these are proposed: the document moves as wanted, no document marked good falls,
at most three other documents leave the top 10, and the harm to other queries is small (`others`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32, Float64
from ...configs.option import Range
from ...encoders import as_texts
from ...errors import InputError
from ...explain.support import overlap
from ...features import SteeredFeature
from ...records import Record
from ...steer import ALL_QUERIES, Removal, Scope, SteeringProfile
from ...steer.trials import Candidates, Trials, best_places, rank_biased_overlap, rank_of, rank_without
from ...text import clip
from ..search.mode import Query
from ..search.ranking import prepare, warn_foreign
from .others import DEPTH, JUDGED, TOP, OtherQueries, blocks, example, harm_of, ndcg_of, top_rows, with_profiles
from .why import all_scores, rank_in

if TYPE_CHECKING:
    from ..store.reader import IndexReader as Index
    from ..store.reader import Rows

Direction = Literal["down", "up"]

FAR: Final = 5  # ranks that are worth a change inside the top 10
LITTLE: Final = 0.05  # harm
MOST_LOST: Final = 3  # documents that leave the top 10
MOST_FEATURES: Final = 3
MOST_CANDIDATES: Final = 12
LOWER, RAISE = (0.0, 0.4, 0.7), (1.5, 2.0, 3.0)  # factors
POOL, OTHER_POOL = 300, 200  # documents of this query and of another on which sets are tried
RIVALS: Final = 20  # documents next to this one
CHECKED: Final = 200  # sets tried on other queries, by their effect and as many by their size
MEASURED: Final = 2  # sets measured on the whole index, for all queries and as many for queries like this one
PROPOSALS: Final = 3
CLOSEST: Final = 0.99  # the largest cosine of a scope; the stored query is rounded, so 1 would leave it out
MOST_EFFECT: Final = 20  # ranks; moving it further counts for nothing more
WEIGHTS: Final = 1 / np.log2(np.arange(2, TOP + 2))  # of documents that leave the top 10


@dataclass(frozen=True)
class Proposal(Record):
    """A change, and what it does."""

    features: tuple[SteeredFeature, ...]
    rank_after: int
    hits_lost: tuple[str, ...]  # other documents that leave the top 10
    hits_passed: tuple[str, ...]  # of the first 30: documents that it passes (up), or that pass it (down)
    harm: float
    ndcg_change: float | None  # mean change of the other queries' NDCG@10; None without judgments
    scope: Literal["all queries", "queries like this one"]
    least_cosine: float | None  # of a query in scope with this query; None: all queries are in scope
    in_scope: int  # other queries in scope
    profile: SteeringProfile = field(repr=False)

    json_keys = (
        *("features", "rank_after", "hits_lost", "hits_passed", "harm", "ndcg_change"),
        *("scope", "least_cosine", "in_scope"),
    )


@dataclass(frozen=True)
class Push(Record):
    """Proposals that move one document, the best first; none if no harmless change does it."""

    direction: Direction
    query: str
    doc_id: str
    title: str
    rank: int
    documents: int
    other_queries: int
    drawn: bool  # whether the other queries are passages of the index
    proposals: tuple[Proposal, ...]

    json_also = ("note",)

    @property
    def note(self) -> str:
        """The answer in a sentence."""
        if self.rank == (1 if self.direction == "up" else self.documents):
            return f"it is already the {'first' if self.direction == 'up' else 'last'} of {self.documents:,} documents"
        if not self.proposals:
            verb = "pushes it down" if self.direction == "down" else "brings it up"
            return (
                f"no harmless change does it: no set of at most {MOST_FEATURES} features {verb} and leaves the rest in "
                "place"
            )
        first = self.proposals[0]
        return f"rank {self.rank:,} to {first.rank_after:,} with {', '.join(map(str, first.features))}"


def push(
    index: Index,
    query: str | object,
    doc_id: str,
    direction: Direction,
    *,
    good: Sequence[str] = (),
    others: OtherQueries | None = None,
    most_harm: float = LITTLE,
) -> Push:
    """Proposals that move a document in the ranking of a query.

    Args:
        good: ids of documents that must not fall, except behind a document that is brought up.
        others: queries on which harm is measured, without `query` itself; None: passages of the index.
    Raises:
        InputError: no such document, the document to push down is marked good or ranks too low, or a direction or harm
        that is none.
    """
    if direction not in get_args(Direction):
        raise InputError(f"direction {clip(repr(direction), 40)}: choose down or up")
    Range(0, 1).check("most harm", most_harm)
    good = as_texts(good, "id")
    if not isinstance(others, OtherQueries | None):
        raise InputError("others: give OtherQueries.of(index, queries)")
    if direction == "down" and doc_id in good:
        raise InputError(f"{doc_id!r} is marked good: it cannot be pushed down too")
    row, kept = index.row_of(doc_id), [index.row_of(name) for name in good]
    prepared = warn_foreign(prepare(index, query))
    assert prepared.vector is not None
    if others is None:
        watched = index.companion(_Watched.passages)
    else:
        watched = _Watched.of(index, others.without(prepared.vector))
    case = _Case.of(index, prepared, row, direction, watched, kept)
    if direction == "down" and POOL <= case.rank < len(index):
        raise InputError(f"{doc_id!r} has rank {case.rank:,}; only the first {POOL - 1} can be pushed down")
    stored = index.document(row)
    return Push(
        *(direction, prepared.text, stored.id, stored.title, case.rank, len(index)),
        *(len(case.others.vectors), case.others.drawn),
        proposals=_some(_proposals(case, most_harm)),
    )


def _some(proposals: Sequence[Proposal]) -> tuple[Proposal, ...]:
    """The first PROPOSALS, with the first of each scope among them."""
    first = {one.scope: place for place, one in reversed(list(enumerate(proposals)))}
    chosen = [*first.values(), *(place for place in range(len(proposals)) if place not in first.values())]
    return tuple(proposals[place] for place in sorted(chosen[:PROPOSALS]))


class _Watched(NamedTuple):
    """Other queries with their best documents."""

    others: OtherQueries
    before: Rows  # [o, OTHER_POOL]

    @classmethod
    def of(cls, index: Index, others: OtherQueries) -> _Watched:
        return cls(others, top_rows(index, others.vectors, others.own, OTHER_POOL))

    @staticmethod
    def passages(index: Index) -> _Watched:
        return _Watched.of(index, OtherQueries.passages(index))


@dataclass(frozen=True, eq=False)
class _Case:
    index: Index
    query: Query
    q: Float32  # [m]
    row: int
    direction: Direction
    others: OtherQueries
    before: Rows  # [o, OTHER_POOL], of the other queries
    good: Sequence[int]  # rows
    scores: Float32  # of all rows
    rank: int
    best: Rows  # the first POOL rows

    @classmethod
    def of(
        cls, index: Index, query: Query, row: int, direction: Direction, watched: _Watched, good: Sequence[int]
    ) -> _Case:
        assert query.vector is not None
        scores = all_scores(index, query.vector)
        best = best_places(scores[None], min(POOL, len(index)))[0]
        rank = rank_in(scores, row)
        return cls(index, query, query.vector, row, direction, *watched, good, scores, rank, best)

    def gain(self, ranks: Rows) -> Rows:
        """By how many ranks the document moves as wanted."""
        return ranks - self.rank if self.direction == "down" else self.rank - ranks

    def order(self, ranks: Rows, lost: Float64, used: Rows, harm: Float64) -> Rows:
        """Positions of changes, the best first: enough effect, then few hits lost, few features, more effect."""
        effect = np.minimum(self.gain(ranks), MOST_EFFECT)
        return np.lexsort((harm, -effect, used, np.round(lost, 6), ~self.enough(ranks)))

    def enough(self, ranks: Rows) -> NDArray[np.bool_]:
        """Whether these ranks are far enough: FAR ranks away or out of the top 10; if up, inside the top 10."""
        far, inside = self.gain(ranks) >= FAR, ranks <= TOP
        if self.direction == "down":
            return np.asarray(far | (~inside & (self.rank <= TOP)))
        return np.asarray(inside & (far | (ranks == 1) | (self.rank > TOP)))

    def lost(self, tops: Rows) -> NDArray[np.bool_]:
        """Which of the first ten rows are not among the new first ten `tops` [t, 10], without the document itself."""
        first = self.best[:TOP]
        return np.asarray((first[None, :, None] != tops[:, None]).all(axis=2) & (first != self.row))

    def good_kept(self, rows: Rows, before: Float32 | Float64, after: Float32 | Float64) -> NDArray[np.bool_]:
        """Whether no good document falls, apart from this one's move, with scores `after` [t, n] of these rows."""
        kept, own = np.ones(len(after), bool), int(np.flatnonzero(rows == self.row)[0])
        for place in np.flatnonzero(np.isin(rows, self.good)).tolist():
            kept &= rank_without(after, place, own) <= rank_without(before[None], place, own)
        return kept


def _proposals(case: _Case, most_harm: float) -> list[Proposal]:
    """Changes that fit, measured on the whole index, the best first."""
    candidates, factors = _candidates(case)
    trials = Trials.of(candidates, factors, MOST_FEATURES)
    rows = np.concatenate([case.best, np.setdiff1d([case.row, *case.good], case.best)])
    pool = candidates.pool(case.q, case.index.vectors(rows), case.scores[rows].astype(np.float64))
    moved, place = pool.tried(trials), int(np.flatnonzero(rows == case.row)[0])
    ranks, gone = rank_of(moved, place), case.lost(rows[best_places(moved, TOP)])
    fits = (case.gain(ranks) > 0) & (gone.sum(axis=1) <= MOST_LOST) & case.good_kept(rows, pool.scores, moved)
    some = _worth_checking(case, trials, np.flatnonzero(fits), ranks, gone @ WEIGHTS[: gone.shape[1]])
    harm = _quick_harm(case, candidates, trials.only(some))
    profiles = []
    for scoped in (False, True):
        within = np.flatnonzero(scoped | (harm <= most_harm))
        chosen: dict[tuple[int, ...], Float64] = {}  # one choice of factors for each set
        lost, used = gone[some] @ WEIGHTS[: gone.shape[1]], trials.used[some]
        for t in within[case.order(ranks[some][within], lost[within], used[within], harm[within])]:
            change = trials.factors[some[t]]
            chosen.setdefault(tuple(np.flatnonzero(change != 1)), change)
            if len(chosen) == MEASURED:
                break
        profiles += [_profile(case, candidates, change, scoped=scoped) for change in chosen.values()]
    return _measured(case, profiles, most_harm)


def _candidates(case: _Case) -> tuple[Candidates, Float64]:
    """Features in which the document differs most from its rivals, and the factors to try on each, [c, f]."""
    index, sae, down = case.index, case.index.explainer.sae, case.direction == "down"
    codes = sae.encode(case.q[None])
    shared = overlap(codes, index.all_codes(np.array([case.row])), sae.features).features
    ids = np.union1d(shared, codes.support(0))
    ahead = case.best[case.best != case.row]
    rivals = ahead[case.rank - 1 :][:RIVALS] if down else ahead[: min(case.rank - 1, RIVALS)]
    if not len(rivals) or not len(ids):
        return Candidates.of(sae, ids[:0]), np.empty((0, len(LOWER)))
    rows = np.array([case.row, *rivals])
    pool = Candidates.of(sae, ids).pool(case.q, index.vectors(rows), case.scores[rows])
    parts = pool.along * pool.query  # what removing each candidate alone would take from the scores
    ahead_by = parts[0] - parts[1:].mean(axis=0)  # what each feature adds to this document's lead
    largest = np.argsort(-np.abs(ahead_by), kind="stable")[:MOST_CANDIDATES]
    factors = [LOWER if down == bool(ahead_by[j] > 0) else RAISE for j in largest]
    return Candidates.of(sae, ids[largest]), np.array(factors)


def _worth_checking(case: _Case, trials: Trials, fits: Rows, ranks: Rows, lost: Float64) -> Rows:
    """The trials to try on other queries: those of the most effect here, and the smallest that have enough."""
    size = np.abs(1 - trials.factors[fits]).sum(axis=1)
    best = case.order(ranks[fits], lost[fits], trials.used[fits], size)
    smallest = np.lexsort((size, ~case.enough(ranks[fits])))
    return fits[np.union1d(best[:CHECKED], smallest[:CHECKED])]


def _quick_harm(case: _Case, candidates: Candidates, trials: Trials) -> Float64:
    """The harm of each trial for all queries, on the best documents of the other queries."""
    total = np.zeros(len(trials.factors))
    for q, rows in zip(case.others.vectors, case.before, strict=True):
        z = case.index.vectors(rows)
        pool = candidates.pool(q, z, z.astype(np.float64) @ q.astype(np.float64))
        total += rank_biased_overlap(best_places(pool.tried(trials), DEPTH))
    return np.asarray(1 - total / len(case.before))


def _profile(case: _Case, candidates: Candidates, factors: Float64, *, scoped: bool) -> SteeringProfile:
    ids = candidates.ids.tolist()
    chosen = {j: float(factor) for j, factor in zip(ids, factors, strict=True) if factor != 1}
    nearest = float((case.others.vectors @ case.q).max())
    limit = round(0.5 + 0.5 * max(nearest, 0.0), 2)  # halfway from the most similar other query to this one
    limit = min(limit, CLOSEST)
    return SteeringProfile(
        chosen,
        case.index.explainer.sae.digest,
        provenance=f"steer {case.direction}",
        note=f"{case.index.document(case.row).id} for “{case.query.text}”",
        kind="project",
        scope=Scope((example(case.query.text, case.q),), limit) if scoped else ALL_QUERIES,
    )


def _measured(case: _Case, profiles: Sequence[SteeringProfile], most_harm: float) -> list[Proposal]:
    """The profiles that fit on the whole index, the best first."""
    index, others = case.index, case.others
    if not profiles:
        return []
    turned = np.stack([Removal.of(index.explainer.sae, profile.factors).query(case.q) for profile in profiles])
    scores = np.concatenate([block for _, block in blocks(index, turned.astype(np.float32))]).T
    tops = best_places(scores, TOP)
    gone = case.lost(tops)
    before = case.before[:, :JUDGED]
    after = with_profiles(index, others, before, profiles)
    harm = np.array([harm_of(before[:, :DEPTH], rows[:, :DEPTH]).mean() for rows in after])
    ranks = np.array([rank_in(one, case.row) for one in scores])
    used = np.array([len(profile.factors) for profile in profiles])
    order = case.order(ranks, gone @ WEIGHTS[: gone.shape[1]], used, harm)
    fits = (case.gain(ranks) > 0) & (harm <= most_harm) & (gone.sum(axis=1) <= MOST_LOST)
    fits &= case.good_kept(np.arange(len(case.scores)), case.scores, scores)
    plain = ndcg_of(index, others, before) if others.judgments else None
    return [
        Proposal(
            features=profiles[i].named(index.explainer.features),
            rank_after=int(ranks[i]),
            hits_lost=_ids(case, case.best[:TOP][gone[i]]),
            hits_passed=_passed(case, scores[i]),
            harm=round(float(harm[i]), 4),
            ndcg_change=None if plain is None else round(float((ndcg_of(index, others, after[i]) - plain).mean()), 4),
            scope="queries like this one" if profiles[i].scope.examples else "all queries",
            least_cosine=profiles[i].scope.cosine if profiles[i].scope.examples else None,
            in_scope=sum(profiles[i].scope.has(q) for q in others.vectors),
            profile=profiles[i],
        )
        for i in order[fits[order]].tolist()
    ]


def _passed(case: _Case, scores: Float32) -> tuple[str, ...]:
    """Documents of the first DEPTH that pass this one, or that it passes."""
    near = case.best[:DEPTH]
    was_above, is_above = (one[near] > one[case.row] for one in (case.scores, scores))
    passed = is_above & ~was_above if case.direction == "down" else was_above & ~is_above
    return _ids(case, near[passed & (near != case.row)])


def _ids(case: _Case, rows: Rows) -> tuple[str, ...]:
    return tuple(case.index.document(row).id for row in rows.tolist())
