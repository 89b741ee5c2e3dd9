"""An hnswlib index. Its files do not record space and dimension, so they have no URL; open them in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..data import Document
from .hits import Metric
from .numbered import NumberedStore

SPACES: Final[Mapping[str, Metric]] = {"cosine": "cosine distance", "ip": "dot distance", "l2": "squared l2"}


class Hnswlib(NumberedStore):
    """An hnswlib index."""

    label = "hnswlib"

    def __init__(self, index: Any, documents: Mapping[str, str] | Sequence[Document] = ()) -> None:
        super().__init__(index, documents)
        self.metric = SPACES[index.space]

    def numbers(self) -> NDArray[np.int64]:
        return np.sort(np.asarray(self.index.get_ids_list(), np.int64))

    def vectors(self, numbers: NDArray[np.int64]) -> Float32:
        return np.asarray(self.index.get_items(numbers.tolist()), np.float32)

    def ranked(self, vector: Float32, k: int) -> tuple[NDArray[Any], NDArray[Any]]:
        numbers, distances = self.index.knn_query(vector, k)
        return numbers[0].astype(np.int64), distances[0]
