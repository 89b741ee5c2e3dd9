"""The positions where the codes of a batch are not zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Pattern(NamedTuple):
    """Entries of a sparse [n, F] matrix, row by row: row i owns entries starts[i] : starts[i + 1]."""

    starts: Tensor  # int64 [n + 1]
    columns: Tensor  # int32 [entries], the features


class ByFeature(NamedTuple):
    """A pattern, prepared for sums over the entries of each feature."""

    features: int
    parts: tuple[Part, ...] = ()  # for products of dense matrices
    transposed: Transposed | None = None  # for loops


class Part(NamedTuple):
    """Some rows of C, their entries, and the places of these in the dense rows."""

    rows: slice
    entries: slice
    places: Tensor  # int64 [entries]


class Transposed(NamedTuple):
    """The same entries by feature: feature j owns entries starts[j] : starts[j + 1]."""

    starts: Tensor  # int64 [F + 1]
    rows: Tensor  # int32 [entries]
    places: Tensor  # int32 [entries], each entry's position in the row-by-row order
