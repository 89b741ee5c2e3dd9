"""Keeps the tokens of recently explained texts on disk, so that repeating an explanation loads no model."""

from __future__ import annotations

import json
from contextlib import suppress
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Final

import numpy as np

from ..errors import DamagedError
from ..files import database
from .tokens import TokenVectors

MOST_TEXTS: Final = 200  # tokens are kept for this many texts
MOST_NUMBERS: Final = 1 << 20  # largest size of one text's tokens, in numbers
WHAT: Final = "the cache of tokens"
SCHEMA: Final = """CREATE TABLE IF NOT EXISTS tokens (
    text_sha256 BLOB PRIMARY KEY, vectors BLOB NOT NULL, places TEXT NOT NULL, seal BLOB NOT NULL)"""


def find_tokens(path: Path, text: str) -> tuple[bool, TokenVectors | None]:
    """Whether a text's tokens are stored, and the tokens themselves, or None if the encoder does not show them.

    Raises:
        DamagedError: they have changed since they were stored.
    """
    if not path.exists():
        return False, None
    with database(path, SCHEMA, WHAT) as db:
        found = db.execute("SELECT vectors, places, seal FROM tokens WHERE text_sha256 = ?", (_key(text),)).fetchone()
    if found is None:
        return False, None
    vectors, places, seal = found
    with suppress(TypeError, AttributeError, ValueError):
        if seal == _seal(_key(text), vectors, places):
            if not places:
                return True, None
            spans, kinds = json.loads(places)
            states = np.frombuffer(vectors, np.float32).reshape(len(kinds), -1)
            return True, TokenVectors(states, tuple((start, end) for start, end in spans), tuple(kinds))
    raise DamagedError(f"{path}: {WHAT} is damaged; delete it")


def keep_tokens(path: Path, text: str, tokens: TokenVectors | None) -> None:
    """Store the tokens of a text, dropping those of the oldest texts."""
    if tokens is not None and tokens.vectors.size > MOST_NUMBERS:
        return
    vectors = b"" if tokens is None else tokens.vectors.astype(np.float32).tobytes()
    places = "" if tokens is None else json.dumps([tokens.spans, tokens.kinds])
    key = _key(text)
    with database(path, SCHEMA, WHAT) as db, db:
        db.execute(
            "INSERT OR REPLACE INTO tokens VALUES (?, ?, ?, ?)", (key, vectors, places, _seal(key, vectors, places))
        )
        db.execute("DELETE FROM tokens WHERE rowid <= (SELECT max(rowid) FROM tokens) - ?", (MOST_TEXTS,))


def _key(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


def _seal(key: bytes, vectors: bytes, places: str) -> bytes:
    return blake2b(key + vectors + places.encode(), digest_size=16).digest()
