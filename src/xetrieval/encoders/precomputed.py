"""Vectors that already exist, in a file; no text model is needed.

.npy            [n, m]; ids in FILE.ids.txt beside it (one a line), else the row number
.safetensors    one matrix, or the one called "vectors"; ids as for .npy
.parquet        a list column (default "vector") and, if there is one, a column "id"
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Float32, as_vectors
from ..errors import DamagedError, InputError
from ..extras import require
from ..identity import EncoderIdentity
from ..store import digest_of, read_arrays, sha256_of_file
from .texts import as_texts


class VectorFile(NamedTuple):
    """The vectors of a file and the id of each row; `ids` is None where the file has none."""

    vectors: Float32  # [n, m]
    ids: tuple[str, ...] | None


def read_vectors(path: Path, column: str = "vector") -> VectorFile:
    """Read a matrix of vectors.

    Raises:
        InputError: no such file or column, an unknown ending, rows that are zero or not finite, repeated ids.
        DamagedError: the file is not what its ending says.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.suffix == ".npy":
        try:
            matrix: Any = np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise DamagedError(f"{path}: not a whole .npy file of numbers ({error})") from error
        ids = _ids_beside(path)
    elif path.suffix == ".safetensors":
        arrays = read_arrays(path)
        if "vectors" not in arrays and len(arrays) != 1:
            raise InputError(f"{path}: holds {sorted(arrays)}; name the matrix of vectors 'vectors'")
        matrix, ids = arrays.get("vectors", next(iter(arrays.values()))), _ids_beside(path)
    elif path.suffix == ".parquet":
        matrix, ids = _read_parquet(path, column)
    else:
        raise InputError(f"{path}: unknown ending; vectors are .npy, .safetensors or .parquet")
    vectors = as_vectors(matrix, name=str(path))
    if not len(vectors):
        raise InputError(f"{path}: holds no vectors")
    if ids is not None:
        if len(ids) != len(vectors):
            raise InputError(f"{path}: {len(ids)} ids for {len(vectors)} vectors")
        if len(set(ids)) != len(ids):
            raise InputError(f"{path}: repeated ids")
    return VectorFile(vectors, ids)


def map_vectors(path: Path, column: str = "vector") -> Any:
    """A matrix of vectors [n, m] without reading it: .npy and .safetensors are memory-mapped, Parquet is read.

    Its rows are not checked; training does that as it goes.

    Raises:
        InputError: no such file or column, an unknown ending, not a matrix of numbers.
        DamagedError: the file is not what its ending says, or shorter than it says.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.suffix == ".npy":
        try:
            matrix: Any = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise DamagedError(f"{path}: not a whole .npy file of numbers ({error})") from error
    elif path.suffix == ".safetensors":
        matrix = _map_safetensors(path)
    elif path.suffix == ".parquet":
        matrix = np.asarray(_read_parquet(path, column)[0], np.float32)
    else:
        raise InputError(f"{path}: unknown ending; vectors are .npy, .safetensors or .parquet")
    if matrix.ndim != 2 or matrix.dtype.kind != "f" or not matrix.size:
        raise InputError(f"{path}: expected a matrix [n, m] of floats, got {matrix.dtype} {list(matrix.shape)}")
    return matrix


def vector_ids(path: Path) -> tuple[str, ...] | None:
    """The id of each row of a vector file; None where it has none."""
    if path.suffix != ".parquet":
        return _ids_beside(path)
    names = require("pyarrow.parquet", "data").ParquetFile(path).schema_arrow.names
    if "id" not in names:
        return None
    return tuple(map(str, require("pyarrow.parquet", "data").read_table(path, columns=["id"])["id"].to_pylist()))


def _map_safetensors(path: Path) -> Any:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(length)) if 8 + length <= size else None
        except (UnicodeDecodeError, json.JSONDecodeError):
            header = None
    if not isinstance(header, dict):
        raise DamagedError(f"{path}: not a whole safetensors file; fetch or make it again")
    names = [name for name in header if name != "__metadata__"]
    if "vectors" not in names and len(names) != 1:
        raise InputError(f"{path}: holds {sorted(names)}; name the matrix of vectors 'vectors'")
    entry = header["vectors" if "vectors" in names else names[0]]
    dtype = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}.get(entry["dtype"])
    if dtype is None:
        raise InputError(f"{path}: numbers of type {entry['dtype']}; store the vectors as F32 or F16")
    start, end = entry["data_offsets"]
    if 8 + length + end > size or end - start != np.dtype(dtype).itemsize * int(np.prod(entry["shape"])):
        raise DamagedError(f"{path}: shorter than its header says; fetch or make it again")
    return np.memmap(path, dtype, "r", 8 + length + start, tuple(entry["shape"]))


class PrecomputedEncoder:
    """A vector file as an encoder: what it is asked to encode are ids, not texts."""

    def __init__(self, path: Path, column: str = "vector") -> None:
        self.path, self.column = path, column
        self.file = read_vectors(path, column)

    @cached_property
    def identity(self) -> EncoderIdentity:
        """The hash of the file stands for the weights that made them; the ids say which text has which vector."""
        return EncoderIdentity(
            f"vectors:{self.path.name}",
            self.file.vectors.shape[1],
            sha256_of_file(self.path),
            reading_sha256=digest_of([list(self._rows), self.column]),
        )

    @cached_property
    def _rows(self) -> dict[str, int]:
        ids = self.file.ids or tuple(str(row) for row in range(len(self.file.vectors)))
        return {identifier: row for row, identifier in enumerate(ids)}

    def encode_query(self, texts: Sequence[str]) -> Float32:
        """Vectors [n, m] of these ids."""
        return self.encode_document(texts)

    def encode_document(self, texts: Sequence[str]) -> Float32:
        """Vectors [n, m] of these ids."""
        texts = as_texts(texts, "id")
        missing = [identifier for identifier in texts if identifier not in self._rows]
        if missing:
            raise InputError(f"{self.path}: no vector for id {missing[0]!r} ({len(missing)} missing)")
        return self.file.vectors[[self._rows[identifier] for identifier in texts]]


def _ids_beside(path: Path) -> tuple[str, ...] | None:
    ids = path.with_name(path.name + ".ids.txt")
    return tuple(ids.read_text(encoding="utf-8").splitlines()) if ids.is_file() else None


def _read_parquet(path: Path, column: str) -> tuple[Any, tuple[str, ...] | None]:
    parquet = require("pyarrow.parquet", "data")
    arrow = require("pyarrow", "data")
    try:
        table = parquet.read_table(path)
    except arrow.ArrowInvalid as error:
        raise DamagedError(f"{path}: not a whole Parquet file ({str(error).splitlines()[0]})") from error
    if column not in table.column_names:
        raise InputError(f"{path}: no column {column!r}; it has {', '.join(table.column_names)}")
    ids = tuple(str(i) for i in table["id"].to_pylist()) if "id" in table.column_names else None
    rows = table[column].to_pylist()
    lengths = {len(row) if row is not None else 0 for row in rows}
    if len(lengths) > 1:
        raise InputError(f"{path}: column {column!r} holds vectors of different lengths {sorted(lengths)}")
    return rows, ids
