"""Array types, and the checks that every matrix of vectors must pass.

Only the direction of a vector counts, so vectors of any length must be readable: rows of length 1e-300 or 1e300 are
multiplied by a power of two, which is exact, before they become float32 and before anything is squared.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
IntArray = NDArray[np.int32]


class Matrix(Protocol):
    """Vectors [n, m]: an array, a memory-mapped file, or anything else that can be indexed by row."""

    @property
    def ndim(self) -> int: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any: ...


SMALLEST: Final = 2.0**-40  # rows whose largest value is between these limits can be squared in float32
LARGEST: Final = 2.0**40
QUANTISED: Final = "quantised vectors are not embeddings; give the vectors that they were made from"


def l2norm(x: NDArray[Any]) -> NDArray[Any]:
    """Rows of `x` [n, m] divided by their Euclidean norm, whatever their length; a zero row stays zero."""
    if not x.size:
        return x
    scaled = in_range(x)
    norm = np.linalg.norm(scaled, axis=-1, keepdims=True)
    if (zero := norm == 0).any():
        norm = np.where(zero, np.ones_like(norm), norm)
    with np.errstate(invalid="ignore"):  # an infinite number gives NaN, which is refused later
        normed: NDArray[Any] = scaled / norm
    return normed


def in_range(x: NDArray[Any]) -> NDArray[Any]:
    """`x` [n, m] as floats; rows that float32 cannot represent or square are multiplied by a power of two."""
    if x.dtype.kind != "f" or x.dtype.itemsize < 4:
        x = x.astype(np.float32)
    return _near_one(x, _magnitudes(x))


def as_vectors(x: object, dimension: int | None = None, name: str = "vectors", first: int = 0) -> Float32:
    """`x` as float32 [n, m], if it is a matrix of usable vectors.

    Rows keep their direction; very long and very short ones are scaled to fit float32. `x` may be a NumPy array of any
    float or signed integer type, a torch tensor (also bfloat16, also with gradients), a pandas frame or nested lists.

    Args:
        dimension: m, if it is known. first: the number of the first row in its file, for messages.
    Raises:
        InputError: not a matrix of numbers, the wrong dimension, a NaN or infinite number, a zero row,
            unsigned integers, booleans, text.
    """
    array = as_floats(x, name)
    if array.ndim == 1 and array.size:
        array = array[None, :]
    if array.ndim != 2:
        raise InputError(f"{name}: expected shape [n, m], got {list(array.shape)}")
    if dimension is not None and len(array) and array.shape[1] != dimension:
        raise InputError(f"{name}: dimension is {array.shape[1]}, expected {dimension}; shape is {list(array.shape)}")
    if not array.size:
        return np.ascontiguousarray(array, np.float32)
    sizes = _magnitudes(array)
    if not np.isfinite(sizes).all():
        row = first + int(np.flatnonzero(~np.isfinite(sizes))[0])
        raise InputError(f"{name}: row {row} contains NaN or infinite numbers (rows are counted from 0)")
    if not sizes.all():
        row = first + int(np.flatnonzero(sizes == 0)[0])
        raise InputError(f"{name}: row {row} is zero (rows are counted from 0); a zero vector has no direction")
    return np.ascontiguousarray(_near_one(array, sizes), np.float32)


def check_kind(kind: np.dtype[Any], name: str) -> None:
    """Refuse numbers that cannot be coordinates.

    Raises:
        InputError: unsigned integers, booleans, complex numbers, text, dates, objects.
    """
    if kind.kind in "ub":
        raise InputError(f"{name}: numbers of type {kind.name}: {QUANTISED}")
    if kind.kind not in "fi" and kind.name != "bfloat16":
        raise InputError(f"{name}: not an array of numbers (it contains {_KINDS.get(kind.kind, kind.name)})")


_KINDS: Final = {"U": "text", "S": "bytes", "O": "objects", "c": "complex numbers", "M": "dates", "m": "times"}


def as_floats(x: object, name: str) -> NDArray[Any]:
    """`x` as an array of floats: integers and bfloat16 become float32 or float64, others stay.

    Raises:
        InputError: not an array of numbers that can be coordinates.
    """
    if isinstance(x, np.ma.MaskedArray):
        if np.ma.is_masked(x):
            raise InputError(f"{name}: a masked array with missing numbers; fill them or remove their rows")
        x = x.data
    if isinstance(x, list | tuple) and any(hasattr(row, "detach") for row in x):
        x = [_tensor(row, name) if hasattr(row, "detach") else row for row in x]
    try:
        array = _tensor(x, name) if hasattr(x, "detach") else np.asarray(x)
        if array.dtype == object and array.ndim:  # pandas returns rows of arrays as objects
            array = np.array(array.tolist())
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{name}: not an array of numbers ({_short(error)})") from error
    check_kind(array.dtype, name)
    if array.dtype.kind == "f" and array.dtype.itemsize >= 4:
        return array
    return array.astype(np.float64 if array.dtype.kind == "i" and array.dtype.itemsize > 2 else np.float32)


def _tensor(x: Any, name: str) -> NDArray[Any]:
    """A torch tensor on any device and of any type, as an array."""
    tensor = x.detach()
    tensor = tensor.to_dense() if getattr(tensor, "is_sparse", False) else tensor
    if str(tensor.dtype).removeprefix("torch.") in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        tensor = tensor.float()
    found: NDArray[Any] = np.asarray(tensor.cpu().numpy())
    return found


def _magnitudes(x: NDArray[Any]) -> NDArray[Any]:
    """The largest absolute value in each row; NaN if the row contains one."""
    largest: NDArray[Any] = np.maximum(x.max(axis=-1), -x.min(axis=-1))
    return largest


def _near_one(x: NDArray[Any], sizes: NDArray[Any]) -> NDArray[Any]:
    """`x` with rows that float32 cannot represent or square multiplied by a power of two."""
    far = ((sizes < SMALLEST) | (sizes > LARGEST)) & (sizes > 0) & np.isfinite(sizes)
    if not far.any():
        return x
    scaled = np.array(x)
    scaled[far] = np.ldexp(x[far], -np.frexp(sizes[far])[1][..., None])
    return scaled


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return "rows of different lengths" if "inhomogeneous" in text else text[:160]
