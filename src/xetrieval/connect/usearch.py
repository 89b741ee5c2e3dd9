"""A usearch file: usearch://FILE#CORPUS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..data import Document
from ..errors import InputError
from ..extras import require
from .hits import Metric
from .numbered import NumberedStore

KINDS: Final[Mapping[str, Metric]] = {"Cos": "cosine distance", "IP": "dot distance", "L2sq": "squared l2"}
EXACT: Final = ("F64", "F32")


class Usearch(NumberedStore):
    """A usearch index."""

    label = "usearch"

    def __init__(self, index: Any, documents: Mapping[str, str] | Sequence[Document] = ()) -> None:
        super().__init__(index, documents)
        if index.metric_kind.name not in KINDS:
            raise InputError(
                f"usearch: scores of {index.metric_kind.name} are not sums over features; use cos, ip or l2sq"
            )
        self.metric = KINDS[index.metric_kind.name]
        self.quantised = index.dtype.name not in EXACT

    def numbers(self) -> NDArray[np.int64]:
        return np.sort(np.asarray(self.index.keys, np.int64))

    def vectors(self, numbers: NDArray[np.int64]) -> Float32:
        return np.asarray(self.index.get(numbers.astype(np.uint64)), np.float32)

    def ranked(self, vector: Float32, k: int) -> tuple[NDArray[Any], NDArray[Any]]:
        found = self.index.search(vector, k)
        return found.keys.astype(np.int64), found.distances

    @classmethod
    def read(cls, file: str) -> object:
        return require("usearch.index", "usearch").Index.restore(file, view=True)


STORE = Usearch
