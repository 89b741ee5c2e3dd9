"""Finds, from judged queries, the score above which hits are relevant, and what it does to queries without an answer.

    precision(t) = relevant hits with score >= t / hits with score >= t,   each query's best ten documents

The cut-off is the lowest t with the wanted precision. A query without an answer is one whose relevant documents are
removed from the ranking. Documents without a judgment count as not relevant, so a cut-off errs on the high side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Float64
from ..errors import InputError
from ..index import Index
from ..index.search.mode import Ranked
from ..index.search.nearest import nearest
from ..index.search.unrelated import LOW, unrelated
from ..intervals import cluster_bootstrap
from ..progress import Progress, silent
from ..records import Record
from .retrieval import CHUNKS, DEPTH

WANTED: Final = 0.9  # precision, unless a caller says otherwise
FEWEST: Final = 20  # a cut-off has at least this many hits at or above it; a precision over fewer says little
COPY: Final = 1e-6  # documents with the same score as a relevant one are taken to be copies of it


class JudgedHits(NamedTuple):
    """The ten best documents of q judged queries, n in all, and each query's best score without relevant ones."""

    query: NDArray[np.int64]  # [n]
    score: Float64  # [n]
    relevant: NDArray[np.bool_]  # [n]
    unanswered: Float64  # [q]


@dataclass(frozen=True)
class ScoreScale(Record):
    """Scores of unrelated pairs, and how the best hits of queries compare with them."""

    median: float  # half of the unrelated pairs have a lower score
    percent_99: float  # 99 of 100 have
    percent_99_9: float
    best_hits: float | None = None  # median over the queries: fraction of unrelated pairs below the best hit
    off_topic: float | None = None  # fraction of the queries whose best hit is not above 95 % of unrelated pairs


@dataclass(frozen=True)
class Cutoff(Record):
    """A score above which hits have the wanted precision, and what it does to queries with and without an answer."""

    wanted: float
    queries: int
    hits: int  # at or above the score
    score: float | None = None  # None: no score has that precision
    highest: float | None = None  # the highest precision, if it is less than that
    highest_from: float | None = None  # and the score from which hits have it
    above_unrelated: float | None = None  # fraction of unrelated pairs with a lower score
    precision: float | None = None
    precision_ci: tuple[float, float] | None = None
    recall: float | None = None  # fraction of the relevant hits that are at or above the score
    answered: float | None = None  # fraction of the queries with a hit at or above it
    answered_without: float | None = None  # the same without the relevant documents; 0 would be perfect


def cutoff(
    index: Index,
    queries: Sequence[str] | Float32 | None,
    own: Sequence[str | None] | None,
    judgments: Sequence[Mapping[str, int]],
    wanted: float | None = None,
    progress: Progress = silent,
) -> Cutoff:
    """The cut-off of an index for a precision.

    Args:
        own: for each query, the id of a document that is not ranked.
        judgments: for each query, {document id: grade}, by document (`IndexReader.by_document`).
    Raises:
        InputError: a precision that is not between 0 and 1.
    """
    wanted = WANTED if wanted is None else wanted
    if not 0 < wanted < 1:
        raise InputError(f"precision {wanted:g}: give a number between 0 and 1, such as 0.9")
    found, pairs = choose(judged_hits(index, queries, own, judgments, progress), wanted), unrelated(index)
    if found.score is None or pairs is None:
        return found
    return replace(found, above_unrelated=round(pairs.below(found.score), 5))


def ranked_without(index: Index, vector: Float32 | None, k: int, own: str | None) -> Ranked:
    """The k nearest rows, without those of the document `own`."""
    assert vector is not None
    hidden = [] if own is None else index.rows_of(own)
    found = nearest(index, vector, k + len(hidden))
    kept = np.flatnonzero(~np.isin(found.rows, hidden))[:k]
    return Ranked(found.rows[kept], found.scores[kept])


def scale(index: Index, queries: Sequence[tuple[Float32 | None, str | None]]) -> ScoreScale | None:
    """The scale of an index's scores, and the place of some queries' best hits on it; None if the index is too small.

    Args:
        queries: vectors, each with the id of a document that is not ranked.
    """
    pairs = unrelated(index)
    if pairs is None:
        return None
    median, percent_99, percent_99_9 = (round(pairs.level(fraction), 4) for fraction in (0.5, 0.99, 0.999))
    ranked = (ranked_without(index, q, 1, own) for q, own in queries)
    best = [pairs.below(float(found.scores[0])) for found in ranked if len(found.scores)]
    if not best:
        return ScoreScale(median, percent_99, percent_99_9)
    off_topic = float(np.mean(np.array(best) <= LOW))
    return ScoreScale(median, percent_99, percent_99_9, round(float(np.median(best)), 5), round(off_topic, 4))


def judged_hits(
    index: Index,
    queries: Sequence[str] | Float32 | None,
    own: Sequence[str | None] | None,
    judgments: Sequence[Mapping[str, int]],
    progress: Progress = silent,
) -> JudgedHits:
    """Rank every judged query that has a relevant document."""
    parts: list[tuple[int, float, bool]] = []
    unanswered: list[float] = []
    for place, judged in enumerate(judgments):
        assert queries is not None  # judgments belong to queries
        progress("cut off", place + 1, len(judgments), "")
        right = {name: index.rows_of(name) for name, grade in judged.items() if grade > 0}
        if not any(right.values()):
            continue
        depth = CHUNKS * DEPTH + sum(map(len, right.values()))
        ranked = ranked_without(index, index.query_vector(queries[place])[0], depth, own[place] if own else None)
        best: dict[str, float] = {}
        for row, score in zip(ranked.rows.tolist(), ranked.scores.tolist(), strict=True):
            best.setdefault(index.whole_of(row), score)
        parts += [(len(unanswered), score, name in right) for name, score in [*best.items()][:DEPTH]]
        of_relevant = np.array([score for name, score in best.items() if name in right] or [np.inf])
        others = [s for name, s in best.items() if name not in right and np.abs(of_relevant - s).min() > COPY]
        unanswered.append(max(others, default=-1.0))
    query, score, relevant = zip(*parts, strict=True) if parts else ((), (), ())
    return JudgedHits(
        np.array(query, np.int64), np.array(score, np.float64), np.array(relevant, bool), np.array(unanswered)
    )


def choose(found: JudgedHits, wanted: float) -> Cutoff:
    """The lowest score with the wanted precision; if there is none, the highest precision."""
    queries, order = len(found.unanswered), np.argsort(-found.score, kind="stable")
    if not queries:
        return Cutoff(wanted, 0, 0)
    score, right = found.score[order], np.cumsum(found.relevant[order])
    hits = np.arange(1, len(order) + 1)
    complete = np.append(score[1:] < score[:-1], True)  # equal scores are on the same side
    precision = np.where((hits >= FEWEST) & complete, right / hits, 0.0)
    good, best = np.flatnonzero(precision >= wanted), int(precision.argmax())
    if len(good):
        return at_score(found, float(score[good[-1]]), wanted)
    if not precision[best]:
        return Cutoff(wanted, queries, 0)
    return Cutoff(wanted, queries, 0, highest=round(float(precision[best]), 4), highest_from=_down(score[best]))


def at_score(found: JudgedHits, score: float, wanted: float) -> Cutoff:
    """The figures of a cut-off."""
    queries, above = len(found.unanswered), found.score >= score
    precision = cluster_bootstrap(found.relevant[above].astype(np.float64), found.query[above], 1000, 0).rounded(4)
    return Cutoff(
        wanted=wanted,
        queries=queries,
        hits=int(above.sum()),
        score=_down(score),
        precision=precision.mean,
        precision_ci=(precision.low, precision.high),
        recall=round(float(found.relevant[above].sum() / max(1, found.relevant.sum())), 4),
        answered=round(len(np.unique(found.query[above])) / queries, 4),
        answered_without=round(float((found.unanswered >= score).mean()), 4),
    )


def _down(score: float) -> float:
    """The score rounded down to four decimals, so that `--least` keeps the hit."""
    return math.floor(score * 10_000) / 10_000
