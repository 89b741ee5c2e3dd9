"""Ranking by a weighted sum of cosine and BM25.

(1 - w) <q, z> + w BM25(q, d) / max_d BM25(q, d),   w = 1/2
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from ...explain import Explanation
from ..store.reader import IndexReader, Rows
from .bm25 import Bm25
from .dense import Cosine
from .mode import Query, Ranked, Ranking, best, word
from .nearest import nearest
from .views import RERANKED

LEXICAL_WEIGHT: Final = 0.5


class Hybrid(Ranking):
    """Ranking by cosine and words."""

    def __init__(self, index: IndexReader, query: Query) -> None:
        super().__init__(index, query)
        self.words = Bm25(index, query, part=True)
        self.scale = LEXICAL_WEIGHT / (float(self.words.scores.max()) or 1.0)

    def rank(self, k: int, among: Rows | None) -> Ranked:
        """The best k among the best 1,000 of either ranking."""
        candidates = max(k, RERANKED)
        dense, words = nearest(self.index, self.q, candidates, among), self.words.rank(candidates, among)
        rows = np.unique(np.concatenate([dense.rows, words.rows]))
        cosine = self.index.vectors(rows).astype(np.float64) @ self.q.astype(np.float64)
        return best(rows, (1 - LEXICAL_WEIGHT) * cosine + self.scale * self.words.scores[rows], k)

    def split(self, rows: Rows) -> list[Explanation]:
        """Split the cosine by feature, and BM25 by word."""
        own, out = 1 - LEXICAL_WEIGHT, []
        for cosine, row in zip(Cosine(self.index, self.query).split(rows), rows.tolist(), strict=True):
            terms = [replace(term, share=own * term.share) for term in cosine.terms]
            terms += [word(text, self.scale * share) for text, share in self.words.shares(row).items()]
            out.append(
                self.taken_apart(
                    terms,
                    f"{own:g} × cosine, by features, and {LEXICAL_WEIGHT:g} × BM25 / its maximum, by words",
                    score=own * cosine.score + self.scale * float(self.words.scores[row]),
                    bias=own * cosine.bias,
                    remainder=own * cosine.remainder,
                )
            )
        return out


MODE = Hybrid
