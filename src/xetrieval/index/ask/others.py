"""Other queries of an index, and how much a profile changes their rankings.

    harm = 1 - mean rank-biased overlap (p = 0.9, top 30) of the rankings without and with the profile

A profile of the kind project has a query form, so all rankings come from one product of the stored vectors with the
turned queries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from ...arrays import Float32, Float64
from ...configs.option import Range
from ...encoders import as_texts
from ...errors import InputError
from ...steer import ExampleQuery, Removal, Scope, SteeringProfile
from ...steer.trials import best_places, rank_biased_overlap
from ..search.nearest import deleted_in
from ..search.ranking import check_k
from ..store.reader import IndexReader, Rows
from ..store.sealed import check_numbers

TOP: Final = 10
DEPTH: Final = 30  # rows of each ranking that are compared
JUDGED: Final = 5 * TOP  # rows of each ranking that are judged, as several may be chunks of the same document
OTHERS: Final = 20
BLOCK: Final = 1 << 15
ALIKE: Final = 0.8  # the least cosine of queries that are like each other
SAME: Final = 1e-6  # the largest difference of two vectors of one query


class OtherQueries(NamedTuple):
    """Queries that a change for one query should leave as they are."""

    vectors: Float32  # [o, m]
    own: Sequence[Rows]  # of each query, the rows that are not ranked for it: a document, or its chunks
    judgments: Sequence[Mapping[str, int]] = ()  # of each query, {document id: grade}; none: not judged
    drawn: bool = False  # whether they are passages of the index

    @classmethod
    def of(
        cls,
        index: IndexReader,
        queries: Sequence[str] | Float32,
        judgments: Sequence[Mapping[str, int]] = (),
        names: Sequence[str] = (),
        most: int | None = OTHERS,
    ) -> OtherQueries:
        """These queries, texts or vectors.

        Args:
            names: ids of the queries; a document with the id of a query is not ranked for it, as in BEIR.
            most: take this many, evenly spaced; None: all.
        Raises:
            InputError: no query, not a list of texts, not one name or set of judgments for each, or not a number.
        """
        names = as_texts(names, "id")
        if isinstance(judgments, str | Mapping) or not isinstance(judgments, Sequence):
            raise InputError(f"judgments: give a list of {{document id: grade}}, not a {type(judgments).__name__}")
        if most is not None:
            check_k(most, "most")
        queries = queries if isinstance(queries, np.ndarray) else as_texts(queries, "query")
        if not len(queries):
            raise InputError("give at least one other query")
        for given, what in ((judgments, "sets of judgments"), (names, "ids")):
            if len(given) not in (0, len(queries)):
                raise InputError(f"{len(queries)} queries for {len(given)} {what}; give one of each")
        count = len(queries) if most is None else min(most, len(queries))
        kept = np.linspace(0, len(queries) - 1, count).astype(int).tolist()
        vectors = np.stack([index.query_vector(queries[place])[0] for place in kept])
        graded = [index.by_document(judgments[place]) for place in kept] if judgments else []
        own = [np.array(index.rows_of(names[place]) if names else (), np.int64) for place in kept]
        return cls(vectors, own, graded)

    def without(self, q: Float32) -> OtherQueries:
        """These queries without those of vector `q` [m].

        Raises:
            InputError: none is left.
        """
        kept = np.flatnonzero(np.abs(self.vectors - q).max(axis=1) > SAME).tolist()
        if not kept:
            raise InputError("give at least one other query")
        judgments = [self.judgments[place] for place in kept] if self.judgments else []
        return OtherQueries(self.vectors[kept], [self.own[place] for place in kept], judgments, self.drawn)

    @classmethod
    def passages(cls, index: IndexReader, seed: int = 0) -> OtherQueries:
        """Passages of the index, drawn at random; each is left out of its own ranking."""
        rows = np.sort(np.random.default_rng(seed).choice(index.alive, min(OTHERS, len(index)), replace=False))
        return cls(index.vectors(rows), [*rows[:, None]], drawn=True)


def top_rows(index: IndexReader, q: Float32, own: Sequence[Rows], depth: int) -> Rows:
    """The best rows of every query [h, m] without those in its `own`, [h, depth] or fewer, best first."""
    depth = rows_left(index, own, depth)
    hidden, of = np.concatenate(own), np.repeat(np.arange(len(own)), [len(rows) for rows in own])
    rows, values = np.empty((len(q), 0), np.int64), np.empty((len(q), 0), np.float32)
    for first, scores in blocks(index, q):
        inside = (hidden >= first) & (hidden < first + len(scores))
        scores[hidden[inside] - first, of[inside]] = -np.inf
        part = np.ascontiguousarray(scores.T)
        top = best_places(part, depth)
        rows = np.concatenate([rows, top + first], axis=1)
        values = np.concatenate([values, np.take_along_axis(part, top, axis=1)], axis=1)
        kept = best_places(values, depth)
        rows, values = np.take_along_axis(rows, kept, axis=1), np.take_along_axis(values, kept, axis=1)
    return rows


def rows_left(index: IndexReader, own: Sequence[Rows], most: int) -> int:
    """How many rows every query can rank without its `own`, at most `most`."""
    return max(1, min(most, len(index) - max(1, *map(len, own))))


def blocks(index: IndexReader, q: Float32) -> Iterator[tuple[int, Float32]]:
    """<q, z> of all documents with every query [h, m], in blocks [rows, h]; -inf where the document was deleted."""
    for shard in index.shards:
        gone = deleted_in(index, shard)
        for start in range(0, shard.rows, BLOCK):
            with np.errstate(all="ignore"):
                scores: Float32 = shard.vectors[start : start + BLOCK] @ q.T
            check_numbers(scores, shard.folder)
            scores[gone[(gone >= start) & (gone < start + BLOCK)] - start] = -np.inf
            yield shard.first + start, scores


def with_profiles(
    index: IndexReader, others: OtherQueries, before: Rows, profiles: Sequence[SteeringProfile]
) -> list[Rows]:
    """The top rows of the other queries with each profile; those out of its scope keep the rows of `before`."""
    sae, width = index.explainer.sae, before.shape[1]
    inside = [np.flatnonzero([profile.scope.has(q) for q in others.vectors]) for profile in profiles]
    turned = [
        Removal.of(sae, profile.factors).query(others.vectors[some])
        for profile, some in zip(profiles, inside, strict=True)
    ]
    every = np.concatenate(inside)
    queries = np.concatenate(turned).astype(np.float32)
    found = top_rows(index, queries, [others.own[place] for place in every], width) if len(every) else before[:0]
    out, start = [], 0
    for some in inside:
        rows = before.copy()
        rows[some] = found[start : start + len(some)]
        start += len(some)
        out.append(rows)
    return out


def harm_of(before: Rows, after: Rows) -> Float64:
    """1 - rank-biased overlap of rankings with the same queries' rankings after a change, [o]."""
    places = np.full(before.shape, before.shape[1])
    for query, (old, new) in enumerate(zip(before.tolist(), after.tolist(), strict=True)):
        place = {row: i for i, row in enumerate(old)}
        places[query] = [place.get(row, len(old)) for row in new]
    return np.asarray(np.maximum(1 - rank_biased_overlap(places), 0.0))


def ndcg_of(index: IndexReader, others: OtherQueries, rows: Rows) -> Float64:
    """NDCG@10 of judged queries by their top rows, [o]; a document has the rank of its best chunk."""
    discount = 1 / np.log2(np.arange(2, TOP + 2))
    out = []
    for grades, ranked in zip(others.judgments, rows.tolist(), strict=True):
        gains = [max(grades.get(name, 0), 0) for name in index.documents_of(ranked)[:TOP]]
        ideal = sorted((grade for grade in grades.values() if grade > 0), reverse=True)[:TOP]
        out.append(gains @ discount[: len(gains)] / (ideal @ discount[: len(ideal)]) if ideal else 0.0)
    return np.array(out, np.float64)


def scope_of(index: IndexReader, queries: Sequence[str], cosine: float | None = None) -> Scope:
    """The scope of queries with a cosine of at least `cosine` (None: ALIKE) with one of these."""
    cosine = ALIKE if cosine is None else cosine
    Range(0, 1).check("cosine of a scope", cosine)
    texts = as_texts(queries, "query")
    if not texts:
        raise InputError("give at least one query for the scope")
    return Scope(tuple(example(text, index.query_vector(text)[0]) for text in texts), cosine)


def example(text: str, q: Float32) -> ExampleQuery:
    """A query and its vector [m], to six digits."""
    return ExampleQuery(text, tuple(np.round(q.astype(float), 6).tolist()))
