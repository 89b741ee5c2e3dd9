"""A cache of encoded texts on disk, so that nothing is encoded twice.

There is one SQLite file per encoder and role, named by a hash of everything that determines its vectors: the encoder's
identity, the prompt, the precision. Texts are found by their sha256, and each row has a checksum, so a corrupted row is
never used as a vector. Each block of new vectors is one transaction, so an interrupted run loses at most one block, or
one request to an endpoint. Vectors of an encoder that cannot be recognised later (a function without a name) are not
kept.
"""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from hashlib import blake2b, sha256
from pathlib import Path

import numpy as np

from ..arrays import Float32
from ..errors import DamagedError, InputError, MismatchError, NotKeptWarning
from ..files import cache_folder, database, digest_of, path_of
from ..files.database import is_full
from ..identity import EncoderIdentity, Role
from ..progress import Progress, silent
from .base import (
    BaseEncoder,
    Counts,
    CountsTokens,
    Encoded,
    Encoder,
    encoder_notes,
    not_counted,
    precision_of,
    read_texts,
)
from .endpoint import EndpointEncoder
from .function import NOT_KEPT
from .same import SAME_SERVER, first_difference
from .texts import as_texts
from .token_cache import find_tokens, keep_tokens
from .tokens import ReadsTokens, Show, ShowsTokens, TokenVectors, token_vectors

BLOCK = 512  # texts per transaction
PROBE = "Is this still the same encoder?"
LAYOUT = 4  # version of the table
SCHEMA = """CREATE TABLE IF NOT EXISTS vectors (
    text_sha256 BLOB PRIMARY KEY, vector BLOB NOT NULL, unread INTEGER NOT NULL, unknown INTEGER NOT NULL,
    tokens INTEGER NOT NULL, seal BLOB NOT NULL) WITHOUT ROWID"""

FIND = "SELECT vector, unread, unknown, tokens, seal FROM vectors WHERE text_sha256 = ?"


class CachedEncoder(BaseEncoder):
    """An encoder with a cache of its vectors in `folder`.

    Args:
        grows: whether new vectors are added to the cache.
    """

    def __init__(
        self, encoder: Encoder, folder: str | Path | None = None, progress: Progress = silent, *, grows: bool = True
    ) -> None:
        self.encoder, self.progress, self.grows = encoder, progress, grows
        self.folder = path_of(folder) if folder else cache_folder()
        self._full = False  # whether the disk was full
        self._compared: set[Role] = set()
        self._counted: tuple[list[str], Role, Counts] | None = None  # of the latest texts, which may not be in the file
        if not encoder.identity.lasting:
            warnings.warn(NOT_KEPT, NotKeptWarning, stacklevel=3)

    @property
    def identity(self) -> EncoderIdentity:
        """The wrapped encoder's."""
        return self.encoder.identity

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes of the wrapped encoder."""
        return encoder_notes(self.encoder)

    @property
    def precision(self) -> str:
        """The wrapped encoder's."""
        return precision_of(self.encoder)

    def _encode(self, texts: list[str], role: Role) -> Float32:
        return self.read(texts, role).vectors

    def token_counts(self, texts: Sequence[str], role: Role) -> Counts:
        """How much of each text was read, [n]; counted when the text was encoded."""
        last = self._counted
        return last[2] if last is not None and last[:2] == (list(texts), role) else self.read(texts, role).counts

    def token_vectors(self, text: str, role: Role) -> TokenVectors | None:
        """The tokens, cached for the latest texts, else from the wrapped encoder; None if it cannot show them."""
        if not self.identity.lasting or not isinstance(self.encoder, ReadsTokens):
            return token_vectors(self.encoder, text, role)
        path = self.path(role).with_suffix(".tokens.sqlite")
        known, tokens = False, None
        with self._unless_full(path):
            known, tokens = find_tokens(path, text)
        if not known:
            tokens = token_vectors(self.encoder, text, role)
            if self.grows and not self._full:
                with self._unless_full(path):
                    keep_tokens(path, text, tokens)
        return tokens

    def knows(self, text: str, role: Role) -> bool:
        """Whether the vector of `text` is in the cache."""
        with self._open(role) as db:
            return db.execute("SELECT 1 FROM vectors WHERE text_sha256 = ?", (_key(text),)).fetchone() is not None

    def missing(self, texts: Iterable[str], role: Role) -> list[str]:
        """The texts whose vectors are not in the cache."""
        with self._open(role) as db:
            know = "SELECT 1 FROM vectors WHERE text_sha256 = ?"
            return [text for text in texts if db.execute(know, (_key(text),)).fetchone() is None]

    def path(self, role: Role) -> Path:
        """The file with the vectors of this role."""
        identity = self.identity
        facts = [
            identity.digest,
            role,  # some models read queries differently even if the prompts are equal
            self.precision,
            LAYOUT,
        ]
        return self.folder / f"{digest_of(facts)[:24]}.sqlite"

    def read(self, texts: Sequence[str], role: Role) -> Encoded:
        """Vectors and counts: from the file if it has them, else encoded and added to it."""
        texts = as_texts(texts, role)
        keys = [_key(text) for text in texts]
        vectors = np.empty((len(texts), self.identity.dimension), np.float32)
        counts = not_counted(len(texts))
        self._compare(role)
        with self._open(role) as db:
            missing: dict[bytes, list[int]] = {}
            for row, key in enumerate(keys):
                found = None if key in missing else self._find(db, key, role)
                if found is None:
                    missing.setdefault(key, []).append(row)
                else:
                    vectors[row], numbers = found
                    _put(counts, row, numbers)
            first = [rows[0] for rows in missing.values()]
            done = len(texts) - sum(map(len, missing.values()))
            size = self.encoder.batch_size if isinstance(self.encoder, EndpointEncoder) else BLOCK
            for start in range(0, len(first), size):
                block = first[start : start + size]
                encoded = read_texts(self.encoder, [texts[row] for row in block], role)
                self._add(db, [keys[row] for row in block], encoded)
                counted = np.stack(encoded.counts, axis=1).tolist()
                for row, vector, some in zip(block, encoded.vectors, counted, strict=True):
                    same = missing[keys[row]]
                    vectors[same] = vector
                    _put(counts, same, some)
                    done += len(same)
                self.progress("encode", done, len(texts), "")
        self._counted = list(texts), role, counts
        return Encoded(vectors, counts)

    def keep(self, texts: Sequence[str], role: Role, encoded: Encoded) -> None:
        """Store texts that the wrapped encoder has encoded."""
        with self._open(role) as db:
            self._add(db, [_key(text) for text in texts], encoded)

    def _add(self, db: sqlite3.Connection, keys: Sequence[bytes], encoded: Encoded) -> None:
        if not self.grows or not self.identity.lasting:
            return
        numbers = np.stack(encoded.counts, axis=1).tolist()
        kept = [vector.astype(np.float32).tobytes() for vector in encoded.vectors]
        rows = [
            (key, *row, _seal(key, *row)) for key, *row in zip(keys, kept, *zip(*numbers, strict=True), strict=True)
        ]
        with self._unless_full(self.folder), db:
            db.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?, ?, ?, ?, ?)", rows)

    def _find(self, db: sqlite3.Connection, key: bytes, role: Role) -> tuple[Float32, Sequence[int]] | None:
        """The vector [m] and the counts of a text, or None.

        Raises:
            DamagedError: the row has changed since it was stored.
        """
        found = db.execute(FIND, (key,)).fetchone()
        if found is None:
            return None
        *row, seal = found
        if not isinstance(row[0], bytes) or _seal(key, *row) != seal or len(row[0]) != 4 * self.identity.dimension:
            raise DamagedError(f"{self.path(role)}: the cache of encoded texts is damaged; delete it")
        return np.frombuffer(row[0], np.float32), row[1:]

    def _compare(self, role: Role) -> None:
        """If weights cannot be seen, encode one fixed text again: the name may now refer to a different model.

        The file of the other role, if there is one, comes first: no vector of a different model is added beside it.

        Raises:
            MismatchError: the encoder's vector differs from the one in the cache.
        """
        if self.identity.weights_sha256 is not None or not self.identity.lasting or role in self._compared:
            return
        other: Role = "document" if role == "query" else "query"
        if other not in self._compared and self.path(other).is_file():
            with self._open(other) as db:
                self._compare_in(db, other)
        with self._open(role) as db:
            self._compare_in(db, role)

    def _compare_in(self, db: sqlite3.Connection, role: Role) -> None:
        identity, key, probe = self.identity, _key(PROBE), read_texts(self.encoder, [PROBE], role)
        found = self._find(db, key, role)
        if found is None:
            self._add(db, [key], probe)
        elif (other := first_difference(probe.vectors, found[0][None], SAME_SERVER)) is not None:
            raise MismatchError(
                f"{identity.name}: its vectors differ from those in the cache (cosine {other.cosine:.3f} for the same "
                f"text); the model or its version has changed; delete {self.path(role)}, or use a different cache"
            )
        self._compared.add(role)

    @contextmanager
    def _open(self, role: Role) -> Iterator[sqlite3.Connection]:
        with ExitStack() as stack:
            db = None
            if self.identity.lasting and not self._full:
                with self._unless_full(self.path(role)):
                    db = stack.enter_context(database(self.path(role), SCHEMA, "the cache of encoded texts"))
            yield db or stack.enter_context(closing(_nothing_known()))

    @contextmanager
    def _unless_full(self, path: Path) -> Iterator[None]:
        """If the block finds the disk full, say so once and go on without the cache."""
        try:
            yield
        except (InputError, sqlite3.OperationalError) as error:
            if not is_full(error.__cause__ or error):
                raise
            if not self._full:
                warnings.warn(
                    f"{path}: the cache of encoded texts cannot be written ({error.__cause__ or error}); going on "
                    "without it",
                    NotKeptWarning,
                    stacklevel=4,
                )
            self._full = True


def shows_tokens(encoder: Encoder) -> bool:
    """Whether an encoder can show its tokens while it encodes."""
    inner = encoder.encoder if isinstance(encoder, CachedEncoder) else encoder
    return isinstance(inner, ShowsTokens) and inner.shows_tokens()


def read_showing(encoder: Encoder, texts: Sequence[str], role: Role, show: Show) -> Encoded:
    """Like `read_texts`, also calling `show` with the tokens of each distinct text, in a single pass through the model.

    The cache has no tokens, so vectors are stored in it but not taken from it.
    """
    if not isinstance(encoder, CachedEncoder):
        return read_texts(_Showing(encoder, show), texts, role)
    encoded = read_texts(_Showing(encoder.encoder, show), texts, role)
    encoder.keep(texts, role, encoded)
    return encoded


class _Showing(BaseEncoder):
    """The wrapped encoder, calling `show` with the tokens that it reads."""

    def __init__(self, encoder: Encoder, show: Show) -> None:
        self.encoder, self.show, self.identity = encoder, show, encoder.identity

    def token_counts(self, texts: Sequence[str], role: Role) -> Counts:
        if isinstance(self.encoder, CountsTokens):
            return self.encoder.token_counts(texts, role)
        return not_counted(len(texts))

    def _encode(self, texts: list[str], role: Role) -> Float32:
        assert isinstance(self.encoder, ShowsTokens)
        return self.encoder.encode_showing(texts, role, self.show)


def _key(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


def _seal(key: bytes, vector: bytes, *numbers: object) -> bytes:
    return blake2b(key + vector + repr(numbers).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _put(counts: Counts, rows: int | list[int], numbers: Sequence[int]) -> None:
    for column, number in zip(counts, numbers, strict=True):
        column[rows] = number


def _nothing_known() -> sqlite3.Connection:
    """An empty table in memory, for one call."""
    db = sqlite3.connect(":memory:")
    db.executescript(SCHEMA)
    return db
