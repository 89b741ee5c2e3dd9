"""PyTerrier: an index of ours as a retriever, and explanations as a column of any results over its documents.

    from xetrieval.connect.pyterrier import Explain, Retriever

    pipeline = Retriever("my-index", k=10) >> Explain("my-index")
    pipeline.search("parse a date")["explanation"]

Importing this module needs the package python-terrier. Java is not started.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from ..errors import InputError
from ..extras import require
from ..index import Index, open_index
from ..index.search.ranking import check_k
from ..registry import search_mode
from .hits import StoreHit, explain_hits, summary

require("pyterrier", "pyterrier")
import pandas as pd  # noqa: E402
import pyterrier as pt  # noqa: E402

COLUMN: Final = "explanation"
FOUND: Final = ("docno", "score", "rank")


class Retriever(pt.Transformer):
    """The best documents of an index for each query.

    Args:
        index: an index, or its folder.
        k: documents for each query.
        by: a search mode, as in `Index.search`.
    """

    def __init__(self, index: Index | str | Path, k: int = 10, by: str = "dense") -> None:
        check_k(k)
        search_mode(by)
        self.index, self.k, self.by = _opened(index), k, by

    def transform(self, topics: pd.DataFrame) -> pd.DataFrame:
        """The queries with a row for each document found; ranks count from 0, as PyTerrier's do."""
        _check(topics, "qid", "query")
        kept = topics.drop(columns=[name for name in FOUND if name in topics])
        rows = [
            {**topic, "docno": hit.doc_id, "score": float(hit.score), "rank": hit.rank - 1}
            for topic in kept.to_dict("records")
            for hit in self.index.search(topic["query"], self.k, self.by)
        ]
        return pd.DataFrame(rows, columns=[*kept.columns, *FOUND])


class Explain(pt.Transformer):
    """Adds a column `explanation`: why the encoder's vectors of query and document are as similar as they are.

    The parts of an explanation add up to its `score`, a cosine, whatever ranked the documents.

    Args:
        index: an index of the documents, or its folder.
        top: features in each explanation; the others are added up.
    """

    def __init__(self, index: Index | str | Path, top: int = 4) -> None:
        check_k(top, "top")
        self.index, self.top = _opened(index), top

    def transform(self, results: pd.DataFrame) -> pd.DataFrame:
        """The same rows in the same order, explained."""
        _check(results, "qid", "query", "docno")
        made = pd.Series([None] * len(results), index=results.index, dtype=object)
        for query, places in results.groupby("query", sort=False).indices.items():
            names = [str(results["docno"].iloc[place]) for place in places]
            rows = [self.index.row_of(name) for name in names]
            vectors = self.index.vectors(np.array(rows, np.int64))
            hits = [StoreHit(name, None, vector) for name, vector in zip(names, vectors, strict=True)]
            q = self.index.query_vector(query)[0]
            for place, one in zip(places, explain_hits(self.index, query, hits, vector=q, words=False), strict=True):
                made.iloc[place] = summary(one, self.top)
        return results.assign(**{COLUMN: made})


def _opened(index: Index | str | Path) -> Index:
    return index if isinstance(index, Index) else open_index(index)


def _check(frame: pd.DataFrame, *columns: str) -> None:
    if absent := [name for name in columns if name not in frame]:
        raise InputError(f"no column {absent[0]!r} in the frame; it has {', '.join(map(str, frame.columns)) or 'none'}")
