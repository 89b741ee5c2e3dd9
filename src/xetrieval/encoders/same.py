"""Checks that an encoder is still the same, by comparing its vectors of some texts with known ones."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from ..arrays import Float32

SAME_SERVER: Final = 0.999  # cosine; a server's answers to the same text are closer
SAME_MODEL: Final = 0.99  # cosine; the same model in float16, bfloat16 or int8 stays above 0.995


PROBE_FACT: Final = "endpoint_probe"  # the field of an explainer with the fingerprint of its endpoint
PROBED: Final = 24  # numbers in a fingerprint


class Difference(NamedTuple):
    """A vector that differs from the known one."""

    row: int
    cosine: float


def first_difference(own: Float32, known: Float32, least: float = SAME_MODEL) -> Difference | None:
    """The first unit vector of [n, m] whose cosine with the known one is below `least` or NaN."""
    cosines = np.einsum("nm,nm->n", own, known)
    return next((Difference(row, float(near)) for row, near in enumerate(cosines) if not near >= least), None)


def fingerprint(vector: Float32) -> list[list[float]]:
    """The largest numbers of a unit vector [m], as pairs of position and number."""
    places = np.sort(np.argsort(-np.abs(vector), kind="stable")[:PROBED])
    return [[int(place), round(float(vector[place]), 4)] for place in places]


def fingerprint_cosine(known: object, vector: Float32) -> float | None:
    """The cosine of a fingerprint with the same numbers of a vector [m]; None if it is not a fingerprint."""
    try:
        pairs = np.array(known, np.float64).reshape(-1, 2)
        own = vector[pairs[:, 0].astype(np.int64)].astype(np.float64)
        lengths = np.linalg.norm(own) * np.linalg.norm(pairs[:, 1])
        cosine = float(own @ pairs[:, 1] / lengths) if lengths else 0.0
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return cosine if np.isfinite(cosine) else 0.0
