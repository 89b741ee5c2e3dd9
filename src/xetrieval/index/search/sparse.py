"""Ranking by features as if they were words: an inverted index of codes.

    sum_j idf_j c_qj c_dj,   idf_j = ln(1 + (N - n_j + 1/2) / (n_j + 1/2))

n_j of N documents have feature j; activations take the place of term frequencies. The idf is Lucene's form of Robertson
and Sparck Jones's and is never negative. In the original form, which concept-level sparse retrieval uses, a feature
that most documents have counts against them.
"""

from __future__ import annotations

import numpy as np

from ...arrays import Float64
from ...explain import Explanation
from ..store.reader import IndexReader, Rows
from .mode import Query, Ranked, Ranking, best

NOTE = "share: idf × activation in the query × in the document"


class Sparse(Ranking):
    """Ranking by the product of codes, weighted by idf."""

    def __init__(self, index: IndexReader, query: Query) -> None:
        super().__init__(index, query)
        codes = index.explainer.sae.encode(self.q[None])
        active = codes.values[0] > 0
        self.activations = dict(zip(codes.features[0][active].tolist(), codes.values[0][active].tolist(), strict=True))
        rarity = idf(index)
        self.weights = {j: activation * float(rarity[j]) for j, activation in self.activations.items()}

    def rank(self, k: int, among: Rows | None) -> Ranked:
        """The best k rows that share a feature with the query."""
        scores = np.zeros(self.index.manifest.rows)
        for feature, weight in self.weights.items():
            rows, values = self.index.postings(feature)
            scores[rows] += weight * values
        candidates = self.index.alive if among is None else among
        found = candidates[scores[candidates] > 0]
        return best(found, scores[found], k)

    def split(self, rows: Rows) -> list[Explanation]:
        """Split each score by the features that query and document share."""
        activations = self.activations
        return self.by_feature(rows, self.weights, lambda j, value: {"query": activations[j], "document": value}, NOTE)


MODE = Sparse


def idf(index: IndexReader) -> Float64:
    """How rare each feature is in the index, [F]."""
    n = index.frequency
    return np.log1p((len(index) - n + 0.5) / (n + 0.5))
