"""Encoded texts on disk, so that nothing is encoded twice.

One SQLite file per (encoder, role), named by a hash of everything that made its vectors: the weights' hash, the
prompt, the length limit, the pooling, the precision. Inside it, each text by its own sha256. Every block of new
vectors is one transaction, so a killed run loses at most one block.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..store import cache_folder, database, digest_of
from .base import Encoded, Encoder, EncoderIdentity, Role, read_texts
from .tokens import TokenVectors, token_vectors

BLOCK = 512  # texts per transaction
SCHEMA = """CREATE TABLE IF NOT EXISTS vectors (
    text_sha256 BLOB PRIMARY KEY, vector BLOB NOT NULL, unread INTEGER NOT NULL) WITHOUT ROWID"""

Report = Callable[[int, int], None]  # texts done, texts in all


class CachedEncoder:
    """An encoder whose vectors are kept in `folder`."""

    def __init__(self, encoder: Encoder, folder: Path | None = None, report: Report | None = None) -> None:
        self.encoder, self.folder, self.report = encoder, folder or cache_folder(), report

    @property
    def identity(self) -> EncoderIdentity:
        """That of the encoder inside."""
        return self.encoder.identity

    def encode_query(self, texts: Sequence[str]) -> Float32:
        """Vectors [n, m], unit rows."""
        return self.read(texts, "query").vectors

    def encode_document(self, texts: Sequence[str]) -> Float32:
        """Vectors [n, m], unit rows."""
        return self.read(texts, "document").vectors

    def unread_tokens(self, texts: Sequence[str], role: Role) -> NDArray[np.int32]:
        """Tokens past the limit, [n]; counted when the text was encoded."""
        return self.read(texts, role).unread

    def token_vectors(self, text: str, role: Role) -> TokenVectors | None:
        """The wrapped encoder's, never cached; None where it cannot show them."""
        return token_vectors(self.encoder, text, role)

    def knows(self, text: str, role: Role) -> bool:
        """Whether the vector of `text` is in the file already."""
        key = sha256(text.encode("utf-8", "surrogatepass")).digest()
        with self._open(role) as db:
            return db.execute("SELECT 1 FROM vectors WHERE text_sha256 = ?", (key,)).fetchone() is not None

    def path(self, role: Role) -> Path:
        """The file that holds the vectors of this role."""
        identity = self.identity
        facts = [
            identity.digest,
            identity.prompt(role),
            getattr(self.encoder, "precision", "float32"),
        ]
        return self.folder / f"{digest_of(facts)[:24]}.sqlite"

    def read(self, texts: Sequence[str], role: Role) -> Encoded:
        """Vectors and unread counts, from the file where it has them, else encoded and added to it."""
        keys = [sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        vectors = np.empty((len(texts), self.identity.dimension), np.float32)
        unread = np.zeros(len(texts), np.int32)
        with self._open(role) as db:
            missing: dict[bytes, list[int]] = {}
            for row, key in enumerate(keys):
                found = None
                if key not in missing:
                    found = db.execute("SELECT vector, unread FROM vectors WHERE text_sha256 = ?", (key,)).fetchone()
                if found is None:
                    missing.setdefault(key, []).append(row)
                else:
                    vectors[row], unread[row] = np.frombuffer(found[0], np.float32), found[1]
            first = [rows[0] for rows in missing.values()]
            done = len(texts) - sum(map(len, missing.values()))
            for start in range(0, len(first), BLOCK):
                block = first[start : start + BLOCK]
                encoded = read_texts(self.encoder, [texts[row] for row in block], role)
                with db:
                    db.executemany(
                        "INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)",
                        [
                            (keys[row], vector.astype(np.float32).tobytes(), int(count))
                            for row, vector, count in zip(block, *encoded, strict=True)
                        ],
                    )
                for row, vector, count in zip(block, *encoded, strict=True):
                    same = missing[keys[row]]
                    vectors[same], unread[same] = vector, count
                    done += len(same)
                if self.report is not None:
                    self.report(done, len(texts))
        return Encoded(vectors, unread)

    def _open(self, role: Role) -> AbstractContextManager[sqlite3.Connection]:
        return database(self.path(role), SCHEMA, "the cache of encoded texts")
