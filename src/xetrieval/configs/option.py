"""How a field of a configuration appears on the command line."""

from __future__ import annotations

from typing import Final, NamedTuple


class Option(NamedTuple):
    """Used in `Annotated`; a field without one can only be set from Python.

    On the command line, the values of a tuple are separated by commas.
    """

    help: str
    flags: str = ""  # separated by spaces; without a long one, --NAME-OF-THE-FIELD is added
    metavar: str | None = None
    variable: str | None = None  # environment variable, read if the option is absent


LARGEST_FACTOR: Final = 100.0  # the largest factor of an activation
RETRIES = Option("Further attempts after an unusable answer.")
CONCURRENCY = Option("Requests sent at the same time.")
SEED = Option("Same seed, same samples.")
