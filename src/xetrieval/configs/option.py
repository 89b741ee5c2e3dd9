"""How a field of a configuration appears on the command line, and which numbers it may have."""

from __future__ import annotations

import math
from functools import cache
from numbers import Real
from typing import Annotated, Any, Final, NamedTuple, get_args, get_origin, get_type_hints

from ..errors import InputError


class Option(NamedTuple):
    """Used in `Annotated`; a field without one can only be set from Python.

    On the command line, the values of a tuple are separated by commas.
    """

    help: str
    flags: str = ""  # separated by spaces; without a long one, --NAME-OF-THE-FIELD is added
    metavar: str | None = None
    variable: str | None = None  # environment variable, read if the option is absent


class Range(NamedTuple):
    """The numbers that a field may have, used in `Annotated`."""

    low: float
    high: float = math.inf
    above: bool = False  # `low` itself is excluded
    below: bool = False  # `high` itself is excluded
    whole: bool = False  # these two are read from the type of the field
    optional: bool = False  # allows None

    def check(self, name: str, value: object) -> None:
        """Refuse a number outside the range, or one in a tuple.

        Raises:
            InputError: says which numbers are allowed.
        """
        for one in value if isinstance(value, tuple) else (value,):
            if one is None and self.optional:
                continue
            number = isinstance(one, int if self.whole else Real) and not isinstance(one, bool) and math.isfinite(one)
            inside = number and self.low <= one <= self.high
            if not inside or (self.above and one == self.low) or (self.below and one == self.high):
                raise InputError(f"{name} {one!r:.40} is out of range; give {self.words}")

    @property
    def words(self) -> str:
        """The range in words."""
        kind = "a whole number" if self.whole else "a number"
        if self.above and self.below:
            return f"{kind} between {self.low:g} and {self.high:g}"
        end = f" and {'below' if self.below else 'at most'} {self.high:,.10g}" if self.high < math.inf else ""
        return f"{kind}, {'above' if self.above else 'at least'} {self.low:g}{end}"


LARGEST_FACTOR: Final = 100.0  # the largest factor of an activation
Retries = Annotated[int, Option("Further attempts after an unusable answer."), Range(0)]
Concurrency = Annotated[int, Option("Requests sent at the same time."), Range(1)]
Seed = Annotated[int, Range(0, 2**63 - 1)]  # what NumPy and PyTorch take
SAMPLES = Option("Same seed, same samples.")


class Checked:
    """A dataclass whose fields must be within their ranges."""

    def __post_init__(self) -> None:
        own: Any = type(self)
        for name, allowed in _ranges(own).items():
            allowed.check(name.replace("_", " "), getattr(self, name))


@cache
def _ranges(kind: Any) -> dict[str, Range]:
    found = {name: range_of(hint) for name, hint in get_type_hints(kind, include_extras=True).items()}
    return {name: allowed for name, allowed in found.items() if allowed is not None}


def range_of(hint: object) -> Range | None:
    """The range of an annotated type; None if it has none."""
    kind, *details = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    kinds = {kind, *get_args(kind)}
    for detail in details:
        if isinstance(detail, Range):
            return detail._replace(whole=float not in kinds, optional=type(None) in kinds)
    return None
