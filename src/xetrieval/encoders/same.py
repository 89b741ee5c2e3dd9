"""Is it still the same encoder? Its vectors of some texts are compared with the known ones."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from ..arrays import Float32

SAME_SERVER: Final = 0.999  # cosine; answers of one server to the same text are closer
SAME_MODEL: Final = 0.99  # cosine; the same model in float16, bfloat16 or int8 stays above 0.995


class Difference(NamedTuple):
    """A vector that differs from the known one."""

    row: int
    cosine: float


def first_difference(own: Float32, known: Float32, least: float = SAME_MODEL) -> Difference | None:
    """The first of some unit vectors [n, m] whose cosine with the known one is below `least`, or NaN."""
    cosines = np.einsum("nm,nm->n", own, known)
    return next((Difference(row, float(near)) for row, near in enumerate(cosines) if not near >= least), None)
