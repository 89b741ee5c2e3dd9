"""Files with a matrix of vectors, and the ids of its rows.

.npy            [n, m]; ids in FILE.ids.txt beside it (one per line), else none
.safetensors    one matrix, or the one called "vectors"; ids as for .npy
.parquet        a column of lists: the one named by the caller, else "vector", else the only one; ids in `_id` or `id`

Numbers are float16, bfloat16, float32, float64 or signed integers. A file's header is compared with the file's size
before anything is read or allocated.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..arrays import QUANTISED, Float32, Matrix, as_vectors, check_kind
from ..errors import DamagedError, InputError
from ..extras import require
from ..files import parse_json, path_of
from ..text import clip

LARGEST_HEADER: Final = 64 << 20  # bytes, of a safetensors file
TYPES: Final = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I8": "i1", "I16": "<i2", "I32": "<i4"}
SCALED: Final = {"U8", "U16", "U32", "U64", "BOOL"}


class VectorFile(NamedTuple):
    """The vectors of a file and the id of each row; `ids` is None if the file has none."""

    vectors: Float32  # [n, m]
    ids: tuple[str, ...] | None


class BrainFloats:
    """A matrix [n, m] of bfloat16 numbers, stored as 16 bits; rows are read as float32, exactly."""

    dtype: Final = np.dtype(np.float32)
    ndim: Final = 2

    def __init__(self, bits: NDArray[np.uint16]) -> None:
        self.bits, self.shape, self.size = bits, bits.shape, bits.size

    def __len__(self) -> int:
        return len(self.bits)

    def __getitem__(self, rows: Any) -> Float32:
        whole = np.ascontiguousarray(self.bits[rows]).astype(np.uint32) << np.uint32(16)
        return whole.view(np.float32)

    def __array__(self, dtype: DTypeLike | None = None, *, copy: bool | None = None) -> NDArray[Any]:
        return self[:] if dtype is None else self[:].astype(dtype)


def read_vectors(path: Path, column: str | None = None) -> VectorFile:
    """Read a matrix of vectors.

    Args:
        column: the column of a Parquet file; None takes "vector", or else the only column of vectors.
    Raises:
        InputError: no such file or column, an unknown file extension, rows that are zero or not finite, duplicate ids.
        DamagedError: the file is not of the type that its extension names.
    """
    matrix = map_vectors(path, column)
    if isinstance(matrix, BrainFloats | np.memmap):
        matrix = np.array(matrix)  # a copy, so that later changes of the file do not matter
    vectors = as_vectors(matrix, name=str(path))
    return VectorFile(vectors, vector_ids(path, len(vectors)))


def map_vectors(path: Path, column: str | None = None) -> Matrix:
    """Open a matrix of vectors [n, m]: .npy and .safetensors are memory-mapped, Parquet is read.

    Its rows are not checked.

    Raises:
        InputError: no such file or column, an unknown file extension, not a matrix of numbers.
        DamagedError: the file is not of the type that its extension names, or its length contradicts its header.
    """
    path = path_of(path)
    if not path.is_file():
        raise InputError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    if column is not None and path.suffix.lower() != ".parquet":
        raise InputError(f"{path}: only a Parquet file has columns; leave out the column's name")
    readers: Mapping[str, Callable[[Path], Any]] = {
        ".npy": _map_npy,
        ".safetensors": _map_safetensors,
        ".parquet": lambda parquet: _read_parquet(parquet, column),
    }
    read = readers.get(path.suffix.lower())
    if read is None:
        raise InputError(f"{path}: unknown file extension; use .npy, .safetensors or .parquet")
    matrix: Any = read(path)
    check_kind(matrix.dtype, str(path))
    if matrix.ndim == 1 and matrix.size:
        matrix = matrix[None, :]
    if matrix.ndim != 2 or not matrix.size:
        raise InputError(f"{path}: expected a matrix [n, m] of vectors, got shape {list(matrix.shape)}")
    opened: Matrix = matrix
    return opened


def vector_ids(path: Path, rows: int) -> tuple[str, ...] | None:
    """The ids that came with the `rows` vectors of a file; None if there are none.

    Raises:
        InputError: ids that are not text, duplicate ids, or not one id per vector.
    """
    ids, where = _parquet_ids(path) if path.suffix.lower() == ".parquet" else None, str(path)
    beside = path.with_name(path.name + ".ids.txt")
    if beside.is_file():
        own, ids = ids, _text_ids(beside)
        if own is not None and list(own) != list(ids):
            raise InputError(
                f"{path}: its ids differ from those in {beside}; remove that file if it is not for these vectors"
            )
        where = str(beside)
    if ids is None:
        return None
    if len(ids) != rows:
        raise InputError(f"{where}: {len(ids)} ids for {rows} vectors")
    if len(set(ids)) != len(ids):
        twice = next(name for name, count in Counter(ids).items() if count > 1)
        raise InputError(f"{where}: duplicate id {clip(twice, 60)!r}; give every vector its own")
    return tuple(ids)


# ---------------------------------------------------------------------------------------------------- .npy


def _map_npy(path: Path) -> Any:
    with path.open("rb") as file:
        if file.read(4) == b"PK\x03\x04":
            raise InputError(f"{path}: an archive of arrays (.npz); save the matrix alone, with numpy.save")
        file.seek(0)
        try:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, kind = read(file)
        except (ValueError, EOFError, OverflowError, SyntaxError, RecursionError, MemoryError, TypeError) as error:
            raise DamagedError(f"{path}: not a complete .npy file of numbers") from error
        rest = path.stat().st_size - file.tell()
    check_kind(kind, str(path))
    _check_header(path, shape, kind.itemsize, rest)
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False) if math.prod(shape) else np.empty(shape, kind)
    except (ValueError, EOFError, OverflowError) as error:
        raise DamagedError(f"{path}: not a complete .npy file of numbers") from error


def _check_header(path: Path, shape: Any, itemsize: int, there: int) -> None:
    """Compare a header with the size of the file, before anything is allocated."""
    if not isinstance(shape, tuple | list) or not all(type(n) is int and n >= 0 for n in shape):
        raise DamagedError(f"{path}: its header has no valid shape; download or create it again")
    wanted = math.prod(shape) * itemsize
    if wanted > there:
        raise DamagedError(f"{path}: shorter than its header says, or damaged; download or create it again")
    if wanted < there:
        raise DamagedError(f"{path}: longer than its header says: several matrices, or damaged; save one matrix")


# ---------------------------------------------------------------------------------------------------- .safetensors


def _map_safetensors(path: Path) -> Any:
    damaged = DamagedError(f"{path}: not a complete safetensors file; download or create it again")
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(size - 8, LARGEST_HEADER):
            raise damaged
        try:
            header = parse_json(file.read(length))
        except InputError as error:
            raise damaged from error
    if not isinstance(header, dict):
        raise damaged
    names = sorted(name for name in header if name != "__metadata__")
    if "vectors" not in names and len(names) != 1:
        raise InputError(f"{path}: contains {_names(names)}; name the matrix of vectors 'vectors'")
    entry = header["vectors" if "vectors" in names else names[0]]
    if not isinstance(entry, dict) or not isinstance(entry.get("dtype"), str):
        raise damaged
    kind, offsets = entry["dtype"], entry.get("data_offsets")
    if kind in SCALED or kind.startswith("F8"):
        raise InputError(f"{path}: numbers of type {clip(kind, 40)}: {QUANTISED}")
    if kind not in TYPES:
        raise InputError(f"{path}: numbers of type {clip(kind, 40)!r}; store the vectors as F32, F16 or BF16")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(type(n) is int for n in offsets):
        raise damaged
    start, end = offsets
    if not 0 <= start <= end <= size - 8 - length:
        raise damaged
    dtype, shape = np.dtype(TYPES[kind]), entry.get("shape")
    _check_header(path, shape, dtype.itemsize, end - start)
    if not math.prod(shape):  # type: ignore[arg-type]  # checked above
        return np.empty(tuple(shape), np.float32)  # type: ignore[arg-type]
    sides: tuple[int, ...] = tuple(shape)  # type: ignore[arg-type]
    mapped: Any = np.memmap(path, dtype=dtype, mode="r", offset=8 + length + start, shape=sides)
    if kind != "BF16":
        return mapped
    return BrainFloats(mapped if mapped.ndim == 2 else mapped.reshape(-1, mapped.shape[-1]))


# ---------------------------------------------------------------------------------------------------- .parquet


def _read_parquet(path: Path, column: str | None) -> NDArray[Any]:
    """The rows of a list column, chunk by chunk."""
    arrow, parquet = require("pyarrow", "data"), require("pyarrow.parquet", "data")
    with _whole_parquet(path, arrow), parquet.ParquetFile(path) as file:
        name = _vector_column(path, arrow, file.schema_arrow, column)
        kind = file.schema_arrow.field(name).type.value_type
        read = file.read(columns=[name])[name]
    if arrow.types.is_boolean(kind) or arrow.types.is_unsigned_integer(kind):
        raise InputError(f"{path}: column {name!r} has numbers of type {kind}: {QUANTISED}")
    parts, width, before = [], -1, 0
    for chunk in read.chunks:
        if chunk.null_count:
            row = before + int(np.flatnonzero(chunk.is_null().to_numpy(zero_copy_only=False))[0])
            raise InputError(f"{path}: row {row} has no vector (NULL in {name!r}; rows are counted from 0)")
        if len(chunk):
            lengths = np.asarray(require("pyarrow.compute", "data").list_value_length(chunk))
            width = int(lengths[0]) if width < 0 else width
            if (lengths != width).any():
                row = int(np.flatnonzero(lengths != width)[0])
                raise InputError(
                    f"{path}: row {before + row} of {name!r} has {lengths[row]} numbers, row 0 has {width}: "
                    "vectors of different lengths (rows are counted from 0)"
                )
            values = chunk.flatten()
            if values.null_count:
                row = before + int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0]) // max(1, width)
                raise InputError(f"{path}: row {row} of {name!r} contains a NULL (rows are counted from 0)")
            parts.append(values.to_numpy(zero_copy_only=False).reshape(len(chunk), width))
        before += len(chunk)
    return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)


def _vector_column(path: Path, arrow: Any, schema: Any, column: str | None) -> str:
    """The column with the vectors."""
    types = arrow.types

    def is_vectors(kind: Any) -> bool:
        lists = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
        value = kind.value_type if lists else None
        return bool(lists and (types.is_floating(value) or types.is_integer(value) or types.is_boolean(value)))

    listed = ", ".join(f"{clip(field.name, 40)} ({clip(str(field.type), 40)})" for field in list(schema)[:20])
    if column is None and "vector" not in schema.names:
        floats = [field.name for field in schema if is_vectors(field.type)]
        if len(floats) != 1:
            what = "several columns of vectors" if floats else "no column of vectors (lists of numbers)"
            raise InputError(f"{path}: {what}; it has {listed}; call one 'vector', or name it with --vector-column")
        return str(floats[0])
    name = column or "vector"
    if schema.names.count(name) != 1:
        raise InputError(
            f"{path}: no column {name!r}; it has {listed}; call it 'vector', or name it with --vector-column"
        )
    if not is_vectors(schema.field(name).type):
        kind = clip(str(schema.field(name).type), 40)
        raise InputError(
            f"{path}: column {name!r} is of type {kind}, not lists of numbers; choose one with --vector-column"
        )
    return name


def _parquet_ids(path: Path) -> Sequence[str] | None:
    arrow, parquet = require("pyarrow", "data"), require("pyarrow.parquet", "data")
    with _whole_parquet(path, arrow), parquet.ParquetFile(path) as file:
        names = [name for name in ("_id", "id") if name in file.schema_arrow.names]
        if not names:
            return None
        kind = file.schema_arrow.field(names[0]).type
        text = arrow.types.is_string(kind) or arrow.types.is_large_string(kind) or str(kind) == "string_view"
        if not text and not arrow.types.is_integer(kind):
            raise InputError(f"{path}: column {names[0]!r} is of type {kind}; store ids as text or whole numbers")
        ids = file.read(columns=[names[0]])[names[0]].to_pylist()
    if None in ids:
        raise InputError(f"{path}: row {ids.index(None)} has no id (NULL in {names[0]!r}; rows are counted from 0)")
    return tuple(map(str, ids))


@contextmanager
def _whole_parquet(path: Path, arrow: Any) -> Iterator[None]:
    """Turn pyarrow's errors about a damaged file into a DamagedError."""
    try:
        yield
    except (InputError, DamagedError):
        raise
    except (arrow.ArrowException, OSError, ValueError) as error:
        reason = clip(next(iter(str(error).splitlines()), "damaged"), 160)
        raise DamagedError(f"{path}: not a complete Parquet file ({reason})") from error


# ---------------------------------------------------------------------------------------------------- ids in text


def _text_ids(path: Path) -> list[str]:
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start + 1})") from error
    ids = [line.removesuffix("\r") for line in lines]
    while ids and not ids[-1]:
        ids.pop()
    if "" in ids:
        raise InputError(f"{path}, line {ids.index('') + 1}: an empty id")
    return ids


def _names(names: Sequence[str]) -> str:
    first = ", ".join(clip(name, 40) for name in names[:8])
    return f"{first} and {len(names) - 8} more" if len(names) > 8 else first or "nothing"
