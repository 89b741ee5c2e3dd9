"""Ranking by the encoder's own score: plain, with views added, or steered.

dense      <q, z>
views      <q, z> + sum_t w_t <q, R_t(z)>         of the best documents by <q, z>
scaled     <q, z'>,  z' = l2norm(z + sum_j (alpha_j - 1) c_j w_j)
projected  <q, z'>,  z' = z - W_S D M W_S^T (z - b), by the query form; see `steer.removal`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...arrays import Float32, Float64
from ...errors import InputError
from ...explain import Explanation
from ...explain.pairs import PairNames
from ...sae import SparseCodes
from ...steer import Removal, steered_scores, steered_vectors
from ..store.reader import IndexReader, Rows
from .mode import Query, Ranked, Ranking, best
from .nearest import nearest
from .views import Views

LOOKED_AT = 100  # top hits whose vectors are read, to detect damage
BLOCK = 1 << 14  # documents steered at once


class Cosine(Ranking):
    """Ranking by the plain score."""

    @classmethod
    def of(cls, index: IndexReader, query: Query) -> Ranking:
        """Plain, with views or steered, depending on the query's options."""
        options = query.options
        if options.steer is not None and options.factors:
            form = (Projected if options.steer.kind == "project" else Scaled)(index, query)
            return Partly(form, options.steer.scope.filters) if options.steer.scope.filters else form
        return (Views if options.views else Cosine)(index, query)

    def rank(self, k: int, among: Rows | None) -> Ranked:
        """The best k rows; exact, unless there is an approximate engine and `exact` is false."""
        found = nearest(self.index, self.q, k, among, approximate=not self.query.options.exact)
        self.index.vectors(found.rows[:LOOKED_AT])  # zero vectors would silently score 0
        return found

    def split(self, rows: Rows) -> list[Explanation]:
        """Split each score by feature."""
        return self._explained(rows, self.index.vectors(rows), self.index.all_codes(rows))

    def _explained(self, rows: Rows, z: Float32, views: list[SparseCodes]) -> list[Explanation]:
        codes = self.index.explainer.sae.encode(self.q[None]).rows(np.zeros(len(rows), np.int64))
        repeated = np.repeat(self.q[None], len(rows), axis=0)
        documents = [self.index.document(row).text for row in rows.tolist()]
        names = PairNames(queries=[self.query.text] * len(rows), documents=documents)
        return list(self.index.explainer.explain_codes(repeated, z, codes, views, names))


class Projected(Cosine):
    """Ranking with features removed from every document, or added to it, by projection."""

    @property
    def _removal(self) -> Removal:
        return Removal.of(self.index.explainer.sae, self.query.options.factors)

    def rank(self, k: int, among: Rows | None) -> Ranked:
        """The best k rows for the query form, and their scores <q, z'>."""
        removal, q = self._removal, self.q.astype(np.float64)
        turned = removal.query(q)
        length = float(np.linalg.norm(turned)) or 1.0  # engines take unit vectors
        unit = (turned / length).astype(np.float32)
        found = nearest(self.index, unit, k, among, approximate=not self.query.options.exact)
        self.index.vectors(found.rows[:LOOKED_AT])
        return Ranked(found.rows, length * found.scores + float(removal.constant(q)))

    def split(self, rows: Rows) -> list[Explanation]:
        """Split the scores of the edited vectors; removed features are no longer in the documents' support."""
        index, removal, features = self.index, self._removal, self.index.explainer.features
        z = index.vectors(rows)
        gone = dict.fromkeys((j for j, factor in self.query.options.factors.items() if factor == 0), 0.0)
        views = [steered_codes(codes, gone) for codes in index.all_codes(rows)]
        explained = self._explained(rows, removal.edit(z).astype(np.float32), views)
        assert self.query.options.steer is not None
        named = [one for one in self.query.options.steer.named(features) if one.factor != 1]
        return [
            replace(
                one,
                steered=tuple(replace(feature, change=c) for feature, c in zip(named, change, strict=True)),
            )
            for one, change in zip(explained, removal.changes(self.q, z).tolist(), strict=True)
        ]


class Scaled(Cosine):
    """Ranking by cosine with scaled activations of the documents."""

    def rank(self, k: int, among: Rows | None) -> Ranked:
        """The best k rows, exactly: documents with a steered feature are rescored, all others keep their score."""
        index, factors = self.index, self._factors
        moved = touched(index, factors)
        if among is not None:
            moved = np.intersect1d(moved, among, assume_unique=True)
        else:
            moved = np.setdiff1d(moved, index.deleted, assume_unique=True)
        # Unmoved documents keep their scores, and at least k of the first k + |moved| are unmoved.
        still = nearest(index, self.q, k + len(moved), among)
        kept = ~np.isin(still.rows, moved, assume_unique=True)
        scores = np.concatenate([still.scores[kept], steered_rows(index, self.q, moved, factors)])
        return best(np.concatenate([still.rows[kept], moved]), scores, k)

    def split(self, rows: Rows) -> list[Explanation]:
        """Split the scores of the steered vectors by feature."""
        views, factors = self.index.all_codes(rows), self.query.options.factors
        z = steered_vectors(self.index.explainer.sae, self.index.vectors(rows), views[0], factors)
        views = [steered_codes(views[0], factors), *views[1:]]
        explained = self._explained(rows, np.asarray(z, np.float32), views)
        assert self.query.options.steer is not None
        steered = self.query.options.steer.named(self.index.explainer.features)
        return [replace(one, steered=steered) for one in explained]

    @property
    def _factors(self) -> dict[int, float]:
        return {feature: factor for feature, factor in self.query.options.factors.items() if factor != 1}


class Partly(Cosine):
    """Ranking with documents that meet some filters steered, and the others unchanged."""

    def __init__(self, steered: Ranking, filters: tuple[str, ...]) -> None:
        super().__init__(steered.index, steered.query)
        self.steered, self.plain = steered, Cosine(steered.index, steered.query)
        try:
            self.inside = self.index.matching(filters)
        except InputError as error:
            raise InputError(f"the steering profile: {error}") from error

    def rank(self, k: int, among: Rows | None) -> Ranked:
        """The best k rows of both parts."""
        rows = self.index.alive if among is None else among
        inside = np.isin(rows, self.inside, assume_unique=True)
        one, other = self.steered.rank(k, rows[inside]), self.plain.rank(k, rows[~inside])
        return best(np.concatenate([one.rows, other.rows]), np.concatenate([one.scores, other.scores]), k)

    def split(self, rows: Rows) -> list[Explanation]:
        """Split the scores of either part in its own way."""
        inside = np.isin(rows, self.inside)
        steered, plain = iter(self.steered.split(rows[inside])), iter(self.plain.split(rows[~inside]))
        return [next(steered if one else plain) for one in inside.tolist()]


MODE = Cosine


def steered_rows(index: IndexReader, q: Float32, rows: Rows, factors: Mapping[int, float]) -> Float64:
    """<q, z'> of some rows, in blocks."""
    out = np.zeros(len(rows))
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        codes = index.codes(block, index.manifest.views[0])
        scores = steered_scores(index.explainer.sae, q[None], index.vectors(block), codes, factors)
        out[start : start + len(block)] = scores[0]
    return out


def touched(index: IndexReader, factors: Mapping[int, float]) -> Rows:
    """Rows that have one of these features, ascending."""
    return np.unique(np.concatenate([*(index.postings(feature)[0] for feature in factors), np.empty(0, np.int64)]))


def steered_codes(codes: SparseCodes, factors: Mapping[int, float]) -> SparseCodes:
    """Activations times their factors; a factor of 0 removes the feature."""
    values = codes.values.copy()
    for feature, factor in factors.items():
        values[codes.features == feature] *= factor
    return SparseCodes(codes.features, values)
