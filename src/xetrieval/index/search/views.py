"""Ranking by cosine plus the weighted scores of some views, each of which has its own projection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from ...arrays import Float64
from ...errors import InputError
from ...explain import Explanation, attribute_shared
from ...sae import SparseCodes
from ...views import View
from ..store.reader import IndexReader, Rows
from .mode import Query, Ranked, Ranking, best
from .nearest import nearest

RERANKED: Final = 1000  # the most documents for which views are computed


class Views(Ranking):
    """s' = <q, z> + sum_t w_t <q, R_t(z)>. Part of the dense mode."""

    def __init__(self, index: IndexReader, query: Query) -> None:
        super().__init__(index, query)
        for view in query.options.views:
            if view not in index.manifest.views[1:]:
                raise InputError(f"view {view!r}: this index has {', '.join(index.manifest.views[1:]) or 'no views'}")

    def rank(self, k: int, among: Rows | None) -> Ranked:
        """The best k of the best 1,000 by cosine."""
        rows = nearest(self.index, self.q, max(k, RERANKED), among, approximate=False).rows
        views, weights = self.index.explainer.reasoned(self.index.vectors(rows)), self.query.options.views
        scores: Float64 = np.stack([(view @ self.q).astype(np.float64) for view in views], axis=1)
        return best(rows, scores @ np.array([1.0, *(weights.get(v, 0.0) for v in self.index.manifest.views[1:])]), k)

    def split(self, rows: Rows) -> list[Explanation]:
        """Split each score by feature. The features of a view are those that it shares with the query."""
        return [self._split(row) for row in rows.tolist()]

    def _split(self, row: int) -> Explanation:
        index, sae = self.index, self.index.explainer.sae
        used: Mapping[View, float] = {index.manifest.views[0]: 1.0, **self.query.options.views}
        used = {view: weight for view, weight in used.items() if weight}
        every = dict(zip(index.manifest.views, index.explainer.reasoned(index.vectors(np.array([row]))), strict=True))
        shard = index.shard_of(row)
        columns = zip(*(shard.ragged(view, np.array([row - shard.first])) for view in used), strict=True)
        codes = SparseCodes.of_ragged(*(np.concatenate(column) for column in columns))
        shared, parts = attribute_shared(
            sae,
            np.repeat(self.q[None], len(used), axis=0),
            np.concatenate([every[view] for view in used]),
            sae.encode(self.q[None]).rows(np.zeros(len(used), np.int64)),
            [codes],
        )
        by_feature: dict[int, dict[View, float]] = {}
        for number, (view, weight) in enumerate(used.items()):
            for i in range(*shared.of(number).indices(len(shared.features))):
                by_feature.setdefault(int(shared.features[i]), {})[view] = weight * float(parts.shares[i])
        factor = np.array(list(used.values()))
        added = ", ".join(f"{weight:g} × {view}" for view, weight in list(used.items())[1:])
        return self.taken_apart(
            [self.feature(j, sum(views.values()), views) for j, views in by_feature.items()],
            f"score: the document's own vector and {added}",
            score=float(factor @ parts.score),
            bias=float(factor @ parts.bias),
            remainder=float(factor @ parts.remainder),
            mode="views",
        )
