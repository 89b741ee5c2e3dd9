"""Ranking by features as if they were words: an inverted index of codes.

    sum_j idf_j c_qj c_dj,   idf_j = ln(1 + (N - n_j + 1/2) / (n_j + 1/2))

n_j of N documents have feature j; activations take the place of term frequencies. The idf is Lucene's form of Robertson
and Sparck Jones', which is never negative; concept-level sparse retrieval uses the older form, in which a feature of
most documents counts against them.
"""

from __future__ import annotations

import numpy as np

from ...arrays import Float64
from ...explain import Explanation
from ..store.reader import IndexReader, Rows
from .mode import Query, Ranked, Ranking, best

NOTE = "share: idf × activation in the query × in the document"


class Sparse(Ranking):
    """By the product of codes, weighted by idf."""

    def __init__(self, index: IndexReader, query: Query) -> None:
        super().__init__(index, query)
        codes = index.explainer.sae.encode(self.q[None])
        active = codes.values[0] > 0
        self.activations = dict(zip(codes.features[0][active].tolist(), codes.values[0][active].tolist(), strict=True))
        self.idf = idf(index)

    def rank(self, k: int, among: Rows | None) -> Ranked:
        """Documents that share a feature with the query."""
        scores = np.zeros(self.index.manifest.rows)
        for feature, activation in self.activations.items():
            rows, values = self.index.postings(feature)
            scores[rows] += activation * float(self.idf[feature]) * values
        if among is None:
            scores[self.index.deleted] = 0.0
            among = np.flatnonzero(scores > 0)
        else:
            among = among[scores[among] > 0]
        return best(among, scores[among], k)

    def split(self, rows: Rows) -> list[Explanation]:
        """By the features that query and document share."""
        codes = self.index.codes(rows, self.index.manifest.views[0])
        out = []
        for row, features, values in zip(rows.tolist(), codes.features.tolist(), codes.values.tolist(), strict=True):
            terms = [
                self.feature(
                    j,
                    self.activations[j] * float(self.idf[j]) * value,
                    {"query": self.activations[j], "document": value},
                )
                for j, value in zip(features, values, strict=True)
                if value > 0 and j in self.activations
            ]
            out.append(self.taken_apart(row, terms, NOTE))
        return out


MODE = Sparse


def idf(index: IndexReader) -> Float64:
    """How rare each feature is in the index, [F]."""
    n = index.frequency
    return np.log1p((len(index) - n + 0.5) / (n + 0.5))
