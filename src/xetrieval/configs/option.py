"""How a field of a configuration appears on the command line."""

from __future__ import annotations

from typing import Final, NamedTuple

from ..errors import InputError

LARGEST_SEED: Final = 2**63 - 1  # that NumPy and PyTorch take


class Option(NamedTuple):
    """Used in `Annotated`; a field without one can only be set from Python.

    On the command line, the values of a tuple are separated by commas.
    """

    help: str
    flags: str = ""  # separated by spaces; without a long one, --NAME-OF-THE-FIELD is added
    metavar: str | None = None
    variable: str | None = None  # environment variable, read if the option is absent
    least: float | None = None
    most: float | None = None


LARGEST_FACTOR: Final = 100.0  # the largest factor of an activation
RETRIES = Option("Further attempts after an unusable answer.")
CONCURRENCY = Option("Requests sent at the same time.")
SEED = Option("Same seed, same samples.")


def check_seed(seed: object) -> None:
    """Raise InputError for a seed that NumPy or PyTorch does not take."""
    if type(seed) is not int or not 0 <= seed <= LARGEST_SEED:
        raise InputError(f"seed {seed!r:.40}: give a whole number from 0 to 2^63 - 1")
