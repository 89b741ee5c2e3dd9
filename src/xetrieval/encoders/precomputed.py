"""Existing vectors in a file as an encoder; no text model is needed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from ..arrays import Float32
from ..errors import InputError
from ..files import digest_of, path_of, sha256_of_file
from ..identity import EncoderIdentity
from .texts import as_texts
from .vector_files import read_vectors


class PrecomputedEncoder:
    """A vector file as an encoder: it looks up ids (or row numbers) instead of encoding texts.

    Args:
        column: the column of a Parquet file; None takes "vector", or else the only column of vectors.
    """

    def __init__(self, path: Path, column: str | None = None) -> None:
        self.path, self.column = path_of(path), column
        self.file = read_vectors(self.path, column)

    @cached_property
    def identity(self) -> EncoderIdentity:
        """The hash of the file stands in for the weights; the ids determine which text has which vector."""
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
