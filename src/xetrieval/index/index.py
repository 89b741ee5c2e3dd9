"""An index opened for reading: documents, vectors and codes by row, and the questions one can ask of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, as_vectors, l2norm
from ..encoders import read_texts
from ..errors import DamagedError, InputError, MismatchError
from ..explain import Explainer, Reading, load
from ..explain.pairs import reading
from ..files.kind import NAME as CONFIG
from ..sae import SparseCodes
from ..steer import SteeringProfile
from ..views import View
from .ask.why import Why, why
from .search.lexical import Lexicon, open_lexicon
from .search.quantised import has_coarse
from .search.ranking import Hit, hits, prepare, rank
from .store.filters import Condition, Filters, Kinds, check_fields, matching_rows, parse_filters
from .store.ids import IdLookup
from .store.layout import EXPLAINER, SHARDS
from .store.manifest import Manifest, read_index_manifest
from .store.ours import is_job
from .store.same_encoder import check_same_encoder
from .store.sealed import check_numbers
from .store.shard import Shard
from .store.texts import Stored

CHECKED = 4096
Rows = NDArray[np.int64]
HELD: Final = 32  # shards up to which a reader keeps every file open, so that it outlives `index compact`


class Index:
    """Documents with their vectors, codes and texts. Made by `open_index`; it never changes under a reader."""

    def __init__(self, folder: Path, manifest: Manifest, explainer: Explainer) -> None:
        self.folder, self.manifest, self.explainer = folder, manifest, explainer
        self.shards = [
            Shard(folder / SHARDS / name, record, first, manifest.dimension, manifest.features)
            for (name, record), first in zip(manifest.shards, manifest.firsts, strict=True)
        ]
        self.deleted: Rows = manifest.deleted(folder)
        self.identity: tuple[int, ...] = ()
        self._encoder_checked = False

    def is_current(self) -> bool:
        """Whether the folder still holds what was opened: no document was added or deleted since, nothing rebuilt."""
        return self.identity == identity_of(self.folder)

    def was_cut(self) -> Path | None:
        """A file of this index that was overwritten in place by a shorter one, which no reader can survive."""
        return next((path for shard in self.shards if (path := shard.was_cut())), None)

    def __len__(self) -> int:
        return self.manifest.alive

    def __repr__(self) -> str:
        return f"Index({str(self.folder)!r}, {len(self):,} documents)"

    # ------------------------------------------------------------------ documents

    def row_of(self, identifier: str) -> int:
        """The row of a document's id.

        Raises:
            InputError: there is none, or it was deleted.
        """
        row = self.find(identifier)
        if row is None:
            raise InputError(f"{self.folder}: no document {identifier!r} in this index")
        return row

    def find(self, identifier: str) -> int | None:
        """The same, None where there is none."""
        return self._ids.find(identifier)

    def document(self, row: int) -> Stored:
        """What is stored of a row."""
        shard = self.shard_of(row)
        return shard.texts.get(row - shard.first)._replace(row=row)

    def shard_of(self, row: int) -> Shard:
        """The shard that holds a row."""
        return self.shards[int(np.searchsorted(self._firsts, row, side="right")) - 1]

    def vectors(self, rows: Rows) -> Float32:
        """Vectors of rows, [n, m], in the order given."""
        out = np.empty((len(rows), self.manifest.dimension), np.float32)
        for shard, at in self._by_shard(rows):
            out[at] = shard.vectors[rows[at] - shard.first]
        if len(rows) <= CHECKED:  # of more, the scores are looked at
            check_numbers(out, self.folder)
        return out

    def codes(self, rows: Rows, view: View) -> SparseCodes:
        """Codes of rows in one view, in the order given."""
        parts = self._by_shard(rows)
        if not parts:
            return SparseCodes(np.empty((0, 1), np.int32), np.empty((0, 1), np.float32))
        found = [shard.ragged(view, rows[at] - shard.first) for shard, at in parts]
        codes = SparseCodes.of_ragged(*(np.concatenate(column) for column in zip(*found, strict=True)))
        return codes.rows(np.argsort(np.concatenate([at for _, at in parts])))

    def all_codes(self, rows: Rows) -> list[SparseCodes]:
        """Codes of rows in every view, original first."""
        return [self.codes(rows, view) for view in self.manifest.views]

    @property
    def fields(self) -> list[str]:
        """Metadata fields that a filter can name."""
        return sorted(self.kinds)

    @cached_property
    def kinds(self) -> Kinds:
        """The same fields, with the kinds of their values."""
        found: dict[str, set[tuple[str, bool]]] = {}
        for shard in self.shards:
            for name, kind, listed in shard.texts.kinds():
                found.setdefault(name, set()).add((kind, listed))
        return {name: frozenset(kinds) for name, kinds in found.items()}

    def conditions(self, filters: Filters | None) -> tuple[Condition, ...]:
        """Filters read and compared with the fields there are; refused as `matching` does."""
        read = parse_filters(filters)
        if read:
            check_fields(read, self.kinds)
        return read

    def matching(self, filters: Filters) -> Rows:
        """Rows that satisfy every filter, ascending; deleted ones are not left out.

        Args:
            filters: see `filters`: ["year>=2020", "ok=true"], or {"year": [2019, 2020], "price": {"<": 3}}.
        Raises:
            InputError: a filter that cannot be read, a field that no document has, or a value of another kind.
        """
        conditions = self.conditions(filters)
        out = [matching_rows(shard.texts, shard.rows, conditions) + shard.first for shard in self.shards]
        return np.concatenate([*out, np.empty(0, np.int64)])

    # ------------------------------------------------------------------ features

    @cached_property
    def frequency(self) -> Rows:
        """Documents that have each feature in their original view, [F]."""
        counts = np.zeros(self.manifest.features, np.int64)
        for shard in self.shards:
            counts += np.diff(shard.posting_starts)
        for shard, at in self._by_shard(self.deleted):
            _, gone, _ = shard.ragged(self.manifest.views[0], self.deleted[at] - shard.first)
            counts -= np.bincount(gone, minlength=len(counts))
        return counts

    def postings(self, feature: int) -> tuple[Rows, Float32]:
        """Rows that have a feature in their original view, ascending, and how strongly."""
        parts = [shard.posting(feature) for shard in self.shards]
        rows = [part.rows + shard.first for part, shard in zip(parts, self.shards, strict=True)]
        nothing = np.empty(0, np.float32)
        return np.concatenate([*rows, np.empty(0, np.int64)]), np.concatenate([*(p.values for p in parts), nothing])

    @cached_property
    def coarse(self) -> bool:
        """Whether an 8-bit copy of the vectors is there to scan."""
        return has_coarse(self) and find_spec("numba") is not None

    @cached_property
    def lexicon(self) -> Lexicon:
        """Its words, for BM25; counted at first use."""
        return open_lexicon(self)

    # ------------------------------------------------------------------ queries

    def search(
        self,
        query: str | Any,
        k: int = 10,
        by: str = "dense",
        filters: Filters | None = None,
        steer: SteeringProfile | None = None,
        weights: Mapping[View, float] | None = None,
        exact: bool = False,
    ) -> list[Hit]:
        """The best k documents.

        Args:
            query: a text, or a vector of this index's encoder.
            by: dense, concept, sparse, bm25 or hybrid.
            filters: on metadata, ["year>=2020", "ok=true"] or {"year": [2019, 2020], "price": {"<": 3}}; all must hold.
            steer: scale the documents' activations before they are scored (dense).
            weights: {view: weight} added to the dense score.
            exact: scan all vectors even where a faiss index is there.
        Raises:
            InputError: an empty query, an unknown mode or field, options that do not go together.
        """
        self.conditions(filters)  # refused before the query is encoded
        asked = prepare(self, query, by, steer, weights, exact=exact)
        return hits(self, asked, rank(self, asked, k, filters))

    def query_vector(self, query: str | Any) -> tuple[Float32, Reading]:
        """A query as a unit vector [m], and how much of it the encoder could read; vectors are taken as they are.

        Raises:
            MismatchError: the encoder is not the one any more that the documents were encoded with.
        """
        if isinstance(query, str):
            self._check_encoder()
            q, read = read_texts(self.explainer.encoder, [query], "query")
            return q[0], reading(read, 0)
        q = as_vectors(query, self.manifest.dimension, "query vector")
        if len(q) != 1:
            raise InputError(f"{len(q)} query vectors; search takes one at a time")
        return np.asarray(l2norm(q)[0], np.float32), Reading()

    def check_profile(self, profile: SteeringProfile | None) -> None:
        """Refuse a profile that is not one of this index.

        Raises:
            MismatchError: it belongs to another autoencoder. InputError: it is no profile, or names an unknown feature.
        """
        if profile is not None and not isinstance(profile, SteeringProfile):
            raise InputError(f"steer by a SteeringProfile, not by a {type(profile).__name__}")
        if profile is not None and profile.sae_digest != self.explainer.sae.digest:
            raise MismatchError(
                f"the steering profile belongs to the autoencoder {profile.sae_digest}, the index has "
                f"{self.explainer.sae.digest}"
            )
        unknown = [j for j in (profile.factors if profile is not None else ()) if not 0 <= j < self.manifest.features]
        if unknown:
            raise InputError(f"there is no feature {unknown[0]}; the index has {self.manifest.features}, from 0 on")

    def why(
        self,
        query: str | Any,
        doc_id: str,
        over: str | None = None,
        k: int | None = None,
        counterfactual: bool = False,
        evidence: int | None = None,
    ) -> Why:
        """Why a document stands where it does; see `why.why`."""
        return why(self, prepare(self, query), doc_id, over, k, counterfactual, evidence)

    def _check_encoder(self) -> None:
        if not self._encoder_checked:
            check_same_encoder(self)
            self._encoder_checked = True

    @cached_property
    def _ids(self) -> IdLookup:
        return IdLookup([shard.texts for shard in self.shards], self.manifest.firsts, self.deleted)

    @cached_property
    def _firsts(self) -> Rows:
        return np.array(self.manifest.firsts, np.int64)

    def _by_shard(self, rows: Rows) -> list[tuple[Shard, Rows]]:
        """Shards with the places in `rows` that they hold."""
        owner = np.searchsorted(self._firsts, rows, side="right") - 1
        return [(self.shards[number], np.flatnonzero(owner == number)) for number in np.unique(owner)]


def open_index(folder: str | Path, explainer: str | Path | Explainer | None = None) -> Index:
    """Open an index for reading. Nothing is loaded but its manifest and its explainer; files are mapped.

    Args:
        explainer: another copy of the explainer, with other names perhaps; refused unless its numbers are the same.
    Raises:
        InputError: no index there, or one whose build has not ended. DamagedError: it cannot be read.
        MismatchError: another explainer.
    """
    path = Path(folder)
    if not (path / "config.json").is_file() and is_job(path / "building"):
        raise InputError(f"{path}: the build of this index has not ended; run the same `index build` again to go on")
    identity = identity_of(path)  # before it is read: a change in between is seen later
    manifest = read_index_manifest(path)
    opened = (
        explainer if isinstance(explainer, Explainer) else load(path / EXPLAINER if explainer is None else explainer)
    )
    if explainer is not None and opened.digest != manifest.explainer_digest:
        raise MismatchError(
            f"{path} was built by the explainer {manifest.explainer}, with other weights than {opened.name}"
        )
    _check_fits(path, manifest, opened)
    index = Index(path, manifest, opened)
    index.identity = identity
    for shard in index.shards if len(index.shards) <= HELD else ():
        shard.hold(manifest.views)
    return index


def _check_fits(path: Path, manifest: Manifest, explainer: Explainer) -> None:
    there = (manifest.dimension, manifest.features, manifest.views)
    if there != (explainer.sae.dimension, explainer.sae.features, tuple(explainer.views)):
        raise DamagedError(
            f"{path}/config.json: {manifest.dimension} dimensions, {manifest.features} features and views "
            f"{', '.join(manifest.views)} are not those of its explainer; restore it"
        )


def identity_of(folder: Path) -> tuple[int, ...]:
    """What changes whenever an index's config.json is replaced."""
    try:
        found = (folder / CONFIG).stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size
