"""Values of metadata from any source, converted to JSON values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Final

import numpy as np

from ..errors import InputError
from ..records import Json

DEEPEST: Final = 100  # levels of nested metadata


def plain(value: object, depth: int = 0) -> Json:
    """A value as JSON: dates in ISO form, decimals as the nearest 64-bit number, NaN and infinities as null.

    Raises:
        InputError: nested more than 100 levels deep. The message is only the reason.
    """
    if depth > DEEPEST:
        raise InputError(f"metadata is nested more than {DEEPEST} levels deep")
    if isinstance(value, np.float16 | np.float32):
        value = float(str(value))  # 0.1, not 0.10000000149011612
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): plain(one, depth + 1) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one, depth + 1) for one in value]
    return _scalar(value)


def _scalar(value: object) -> Json:
    """Values from Parquet, databases and pandas that JSON has no type for."""
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat() if value == value else None  # pandas' NaT differs from itself
    if isinstance(value, set | frozenset):
        return sorted((plain(one) for one in value), key=str)
    if isinstance(value, bytes | bytearray | memoryview):
        content = bytes(value)
        try:
            return content.decode()
        except UnicodeDecodeError:
            return content.hex()
    return str(value)


def _decimal(value: Decimal) -> int | float | str | None:
    """An integer exactly, any other number as the nearest float, so that all values of a column stay numbers."""
    if not value.is_finite():
        return None
    if value.adjusted() > 300:
        return str(value)
    return int(value) if value == value.to_integral_value() else float(value)
