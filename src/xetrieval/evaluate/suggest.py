"""Learns a steering profile from judgments or clicks, and measures its gain on held-out queries.

Queries are split into folds. For each fold, the number of features that may be scaled and the strength of the ridge are
chosen by cross-validation on the other folds, a profile is learned from them, and the fold's queries are ranked with
it. So the gain is measured on queries that had no part in any choice. The returned profile is learned from all queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Float64
from ..configs import SuggestConfig
from ..errors import InputError
from ..index import Index
from ..index.search.mode import Query, SearchOptions
from ..index.search.nearest import nearest
from ..index.search.ranking import rank
from ..progress import Progress, silent
from ..records import Record
from ..sae import SparseCodes
from ..steer import Removal, SteeringProfile, steered_scores
from ..steer.learn import Competition, LearnConfig, competition_of, learn_factors
from .retrieval import CHUNKS, DEPTH, compared, ndcg10_of_rankings

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Suggestion(Record):
    """A profile, and NDCG@10 of held-out queries, in percent."""

    json_keys: ClassVar = (
        *("factors", "queries", "ndcg10", "ndcg10_steered"),
        *("gain", "ci_low", "ci_high", "p_value", "helps", "choices"),
    )
    profile: SteeringProfile
    queries: int
    ndcg10: float
    ndcg10_steered: float
    gain: float
    ci_low: float  # lower end of the gain's 95 % interval
    ci_high: float
    p_value: float
    choices: tuple[str, ...]  # the choice in each fold, then the one for all queries

    @property
    def factors(self) -> dict[int, float]:
        """Feature -> factor, by feature id."""
        return dict(sorted(self.profile.factors.items()))

    @property
    def helps(self) -> bool:
        """Whether the gain's interval is entirely above 0."""
        return self.ci_low > 0

    def sentence(self) -> str:
        """A sentence about the gain."""
        figures = (
            f"{self.gain:+.2f} points of NDCG@10 ({self.ci_low:+.2f} to {self.ci_high:+.2f}, p = {self.p_value:.3f}) "
            f"on {self.queries} queries, each steered by a profile learned without it: "
            f"{self.ndcg10:.2f} to {self.ndcg10_steered:.2f}"
        )
        if not self.profile.factors:
            return f"no gain: no profile does better in cross-validation than leaving the ranking alone ({figures})"
        return figures if self.helps else f"no significant gain: {figures}"


def suggest(
    index: Index,
    queries: Sequence[str] | Float32,
    judgments: Sequence[Mapping[str, int]],
    config: SuggestConfig | None = None,
    provenance: str = "",
    progress: Progress = silent,
    own: Sequence[str | None] | None = None,
) -> Suggestion:
    """Learn a profile for the queries of an index.

    Args:
        queries: texts, or their vectors [q, m].
        judgments: of each query, {document id: grade}; above 0 is relevant. Clicked documents work too.
        own: for each query, an id that is not ranked, such as its own if queries are documents.
    Raises:
        InputError: fewer than ten queries with a relevant document in the index. MissingExtra: without `eval`.
    """
    config = config or SuggestConfig()
    task = _task(index, queries, judgments, config, own)
    rng = np.random.default_rng(config.seed)
    fold = rng.permutation(len(task.q)) % config.folds
    base = np.zeros(len(task.q))
    moved = np.zeros(len(task.q))
    choices = []
    for number in range(config.folds):
        test = np.flatnonzero(fold == number)
        factors, choice = _choose(task, np.flatnonzero(fold != number), config, number)
        base[test], moved[test] = task.ndcg(test, {}), task.ndcg(test, factors)
        choices.append(choice)
        progress("learn", number + 1, config.folds + 1, choice)
    factors, choice = _choose(task, np.arange(len(task.q)), config, config.folds)
    progress("learn", config.folds + 1, config.folds + 1, choice)
    figures = compared(moved, base, config.resamples, config.seed)
    note = f"learned from {len(task.q)} judged queries: {choice}"
    return Suggestion(
        SteeringProfile(factors, index.explainer.sae.digest, provenance, note, config.kind),
        queries=figures["queries"],
        ndcg10=round(100 * float(base.mean()), 3),
        ndcg10_steered=figures["ndcg10"],
        gain=figures["delta"],
        choices=(*choices, choice),
        **{name: figures[name] for name in ("ci_low", "ci_high", "p_value")},
    )


class _Near(NamedTuple):
    """A query's best documents by cosine."""

    rows: Rows
    vectors: Float32
    codes: SparseCodes


@dataclass(frozen=True, eq=False)
class _Task:
    index: Index
    q: Float32  # [q, m]
    judgments: list[dict[str, int]]
    own: list[str | None]  # for each query, a document that is not ranked
    config: SuggestConfig
    competition: Competition
    near: list[_Near]
    names: dict[int, str] = field(default_factory=dict)  # ids of rows that were looked up

    def ndcg(self, queries: Rows, factors: Mapping[int, float]) -> Float64:
        """NDCG@10 of queries, ranked over the whole index."""
        profile = SteeringProfile(factors, self.index.explainer.sae.digest, kind=self.config.kind)
        options = SearchOptions(steer=profile, exact=True)
        ranked = [
            self._ids(query, rank(self.index, Query("", self.q[query], options), CHUNKS * (DEPTH + 1)).rows)
            for query in queries
        ]
        return ndcg10_of_rankings([self.judgments[query] for query in queries], ranked)

    def quick(self, queries: Rows, factors: Mapping[int, float]) -> float:
        """The same over only the best documents of each query, for choosing settings."""
        ranked = []
        for query in queries:
            near = self.near[query]
            scores = self._scores(query, near, factors)
            ranked.append(self._ids(query, near.rows[np.argsort(-scores, kind="stable")]))
        return float(ndcg10_of_rankings([self.judgments[query] for query in queries], ranked).mean())

    def _scores(self, query: int, near: _Near, factors: Mapping[int, float]) -> Float64:
        sae = self.index.explainer.sae
        if self.config.kind == "project":
            return np.asarray(Removal.of(sae, factors).edit(near.vectors) @ self.q[query].astype(np.float64))
        return np.asarray(steered_scores(sae, self.q[[query]], near.vectors, near.codes, factors)[0])

    def _ids(self, query: int, rows: Rows) -> list[str]:
        """The best documents, each at the rank of its best chunk."""
        return [name for name in dict.fromkeys(map(self._id, rows.tolist())) if name != self.own[query]][:DEPTH]

    def _id(self, row: int) -> str:
        if row not in self.names:
            self.names[row] = self.index.documents_of([row])[0]
        return self.names[row]


def _choose(task: _Task, rows: Rows, config: SuggestConfig, number: int) -> tuple[dict[int, float], str]:
    """The best profile in cross-validation among `rows`; on a tie, no steering."""
    rng = np.random.default_rng((config.seed, number))
    fold = rng.permutation(len(rows)) % config.folds
    best, chosen = task.quick(rows, {}), None
    for features, ridge in product(config.features, config.ridges):
        total = 0.0
        trial = LearnConfig(features, ridge, loss=config.loss)
        for inner in range(config.folds):
            held = rows[fold == inner]
            if len(held):
                factors = learn_factors(task.competition.of(rows[fold != inner]), trial)
                total += len(held) * task.quick(held, factors)
        if total / len(rows) > best + 1e-9:
            best, chosen = total / len(rows), trial
    if chosen is None:
        return {}, "nothing steered"
    learned = learn_factors(task.competition.of(rows), chosen)
    return learned, f"{len(learned)} features, ridge {chosen.ridge:g}"


def _task(
    index: Index,
    queries: Sequence[str] | Float32,
    judgments: Sequence[Mapping[str, int]],
    config: SuggestConfig,
    own: Sequence[str | None] | None,
) -> _Task:
    if len(queries) != len(judgments):
        raise InputError(f"{len(queries)} queries for {len(judgments)} sets of judgments; give one of each")
    graded = [index.by_document(judged) for judged in judgments]
    relevant = [[index.rows_of(name) for name, grade in judged.items() if grade > 0] for judged in graded]
    used = [place for place, found in enumerate(relevant) if any(found)]
    if len(used) < 10:
        raise InputError(f"{len(used)} queries have a relevant document in this index; learning needs ten or more")
    q = np.stack([index.query_vector(queries[place])[0] for place in used])
    rows_of = [
        np.unique([_best_chunk(index, vector, rows) for rows in relevant[place] if rows])
        for place, vector in zip(used, q, strict=True)
    ]
    left_out = [None if own is None else own[place] for place in used]
    rng = np.random.default_rng(config.seed)
    alive = np.setdiff1d(np.arange(index.manifest.rows), index.deleted, assume_unique=True)
    drawn = rng.permutation(alive)[: config.documents]
    pool = np.unique(np.concatenate([drawn, *rows_of]))
    place_of = {int(row): place for place, row in enumerate(pool)}
    scores = q.astype(np.float64) @ index.vectors(pool).astype(np.float64).T
    for query, name in enumerate(left_out):
        for row in [] if name is None else index.rows_of(name):
            if row in place_of and row not in rows_of[query]:  # the wanted documents must compete
                scores[query, place_of[row]] = -np.inf
    sae = index.explainer.sae
    places = [np.array([place_of[int(row)] for row in rows]) for rows in rows_of]
    along = np.asarray(q @ sae.directions.T, np.float32)
    if config.kind == "project":
        codes = np.asarray((index.vectors(pool) - sae.decoder_bias) @ sae.directions.T, np.float32)
        competition = competition_of(scores, along, codes, places)._replace(directions=sae.directions)
    else:
        codes = index.codes(pool, index.manifest.views[0]).dense(index.manifest.features)
        competition = competition_of(scores, along, codes, places)
    best = [nearest(index, vector, config.reranked).rows for vector in q]
    near = [_Near(rows, index.vectors(rows), index.codes(rows, index.manifest.views[0])) for rows in best]
    return _Task(index, q, [graded[place] for place in used], left_out, config, competition, near)


def _best_chunk(index: Index, q: Float32, rows: list[int]) -> int:
    """The row (chunk) of a document that is nearest to a query."""
    return rows[int(np.argmax(index.vectors(np.array(rows, np.int64)) @ q))] if len(rows) > 1 else rows[0]
