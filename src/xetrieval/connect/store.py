"""What the adapters of vector stores have in common: each reads a store's documents, and searches it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, NamedTuple, TypeVar
from urllib.parse import parse_qsl

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Float32, as_vectors, l2norm
from ..configs import BuildConfig
from ..data import Document
from ..errors import InputError
from ..explain import Explainer, Explanation
from ..features import feature_name
from ..files import path_of
from ..index import Corpus, build_index, open_index
from ..index.build.own import CORPUS
from ..index.build.stores import Record, VectorStore
from ..index.search.ranking import check_k
from ..text import clip
from .hits import Metric, Source, StoreHit, explain_hits, explainer_from, query_vector

T = TypeVar("T")
PAGE: Final = 1000  # documents read at once
ROLES: Final = ("id", "text", "title", "vector")


class Named(NamedTuple):
    """A document, the names of its strongest features, and its code."""

    handle: Any  # what the store calls it
    names: list[str]  # strongest first
    feature_ids: list[int]
    activations: list[float]


class Store(VectorStore):
    """A vector store that can be searched, and read in a stable order."""

    metric: Metric = "cosine"  # of the scores of `nearest`
    quantised: bool = False  # whether it returns rounded vectors

    @abstractmethod
    def nearest(self, vector: Float32, k: int) -> list[StoreHit]:
        """The best k documents for a query vector [m], with their vectors."""

    def search(
        self,
        query: str | ArrayLike,
        k: int = 10,
        *,
        explainer: Source = "minilm",
        vector: ArrayLike | None = None,
        words: bool = True,
        quantised: bool | None = None,
    ) -> list[Explanation]:
        """The best k documents of the store, each with the explanation of its score.

        Args:
            explainer, query, vector, words: as in `explain_hits`.
            quantised: whether the store rounds its vectors; None: as far as the adapter can tell.
        """
        check_k(k)
        opened = explainer_from(explainer)
        q = query_vector(opened, query if vector is None else vector)
        hits = self.nearest(q, int(k))
        rounded = self.quantised if quantised is None else quantised
        return explain_hits(opened, query, hits, metric=self.metric, vector=q, quantised=rounded, words=words)

    def learn(self, output: str | Path, base: Source = "minilm", config: BuildConfig | None = None) -> Explainer:
        """Learn the features of this store's documents from their vectors; `search` takes the result, or the folder.

        The folder `output` becomes an index of the store. An interrupted call resumes.

        Args:
            base: an explainer of the same encoder, which gives the encoder and the views.
        Raises:
            InputError: see `build_index`. MismatchError: the vectors are not those of the encoder.
        """
        config = replace(config or BuildConfig(), dictionary=CORPUS)
        build_index(Corpus((), store=self), explainer_from(base), output, config)
        return open_index(output).explainer

    def write_names(self, explainer: Source, most: int = 8) -> int:
        """Write the names of each document's strongest features beside it, so that the store can filter by them.

        They become the list `xetrieval` in its metadata, which replaces an earlier one. Returns how many documents have
        got names.

        Raises:
            InputError: nothing can be added to documents of this store, or `most` is not a whole number from 1.
        """
        check_k(most, "most")
        opened = explainer_from(explainer)
        found = list(chain.from_iterable(named(opened, page, most) for page in _pages(self._handles())))
        for page in _pages(found):
            self._write(page)
        return len(found)

    def _handles(self) -> Iterator[tuple[Any, Record]]:
        """Every document with what the store itself calls it."""
        return ((record.document.id, record) for record in self.records())

    def _write(self, page: Sequence[Named]) -> None:
        raise InputError(f"{self.name}: cannot add names to its documents; build an index instead (learn)")


def _pages(items: Iterable[T]) -> Iterator[list[T]]:
    remaining = iter(items)
    while page := list(islice(remaining, PAGE)):
        yield page


def named(explainer: Explainer, page: Sequence[tuple[object, Record]], most: int) -> Iterator[Named]:
    """Documents with the names of their `most` strongest features, and with their codes."""
    vectors = as_vectors(np.stack([record.vector for _, record in page]), explainer.sae.dimension)
    codes = explainer.sae.encode(np.asarray(l2norm(vectors), np.float32))
    for (handle, _), ids, values in zip(page, codes.features, codes.values, strict=True):
        order = np.argsort(-values, kind="stable")[: np.count_nonzero(values > 0)]
        features = [explainer.features[j] for j in ids[order[:most]]]
        names = list(dict.fromkeys(feature_name(one.label, one.feature_id) for one in features))
        yield Named(handle, names, ids[order].tolist(), values[order].tolist())


class TableStore(Store):
    """A store whose documents are rows with named columns; those without a role are metadata.

    Args:
        columns: (role, column) for roles whose columns are not named as in `usual`.
    """

    usual: ClassVar[Mapping[str, str]] = {"id": "id", "text": "text", "title": "title", "vector": "vector"}
    columns: Sequence[tuple[str, str]] = ()

    @property
    def chosen(self) -> dict[str, str]:
        """The column of each role."""
        return {**self.usual, **dict(self.columns)}

    def present(self, there: Sequence[str]) -> list[str]:
        """The columns of a table: those with a role come first, in the order of ROLES.

        Raises:
            InputError: no column for the id or the vector, or for a role that was named.
        """
        given, chosen = dict(self.columns), self.chosen
        for role, column in chosen.items():
            if column not in there and (role in ("id", "vector") or role in given):
                raise InputError(
                    f"{self.name}: no column {column!r} for the {role}; it has {', '.join(there)}; "
                    f"name it with ?{role}=COLUMN"
                )
        first = [chosen[role] for role in ROLES if chosen[role] in there]
        return [*first, *(column for column in there if column not in first)]

    def record(self, number: int | None, row: Mapping[str, Any]) -> Record:
        """The document of a row; `number` says which, in messages.

        Raises:
            InputError: its id or its vector is NULL.
        """
        row, chosen = dict(row), self.chosen
        identifier, vector = row.pop(chosen["id"]), row.pop(chosen["vector"])
        if identifier is None or vector is None:
            missing = "id" if identifier is None else "vector"
            where = f"document {identifier!r}" if number is None else f"row {number} ({identifier!r})"
            raise InputError(f"{self.name}, {where}: the {missing} is NULL")
        text, title = (str(row.pop(chosen[role], None) or "").strip() for role in ("text", "title"))
        return record_of_document(str(identifier), vector, text, title, row)

    def hit(self, row: Mapping[str, Any], score: float) -> StoreHit:
        """The hit of a row."""
        return hit_of(self.record(None, row), score)


def record_of_document(
    doc_id: str, vector: ArrayLike, text: str = "", title: str = "", metadata: Mapping[str, Any] | None = None
) -> Record:
    """A document in the form that an index takes."""
    known = {name: value for name, value in (metadata or {}).items() if value is not None}
    fields = {"title": title, "metadata": known}
    return Record(Document(doc_id, f"{title}\n{text}".strip(), text, doc_id, fields), np.asarray(vector, np.float32))


def hit_of(record: Record, score: float) -> StoreHit:
    """A record as a hit."""
    document = record.document
    return StoreHit(document.id, score, record.vector, document.text, document.fields["metadata"])


def place_of(url: str, example: str, roles: Sequence[str] = ROLES) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """The parts of SCHEME://PLACE#NAME?role=COLUMN: place, name and columns.

    Args:
        roles: those whose columns can be chosen in such a store.
    Raises:
        InputError: no name, or a role that cannot be chosen or is given more than once.
    """
    place, _, rest = url.partition("#")
    name, _, options = rest.partition("?")
    if not name:
        raise InputError(f"store: name the table after a #, e.g. {example}")
    columns = tuple(parse_qsl(options, keep_blank_values=True))
    for role, column in columns:
        if role not in roles:
            choice = f"choose from {', '.join(roles)}" if roles else "such a store has no columns to choose"
            raise InputError(f"store: {clip(role, 40)!r} is not the role of a column; {choice}")
        if not column or dict(columns)[role] != column:
            raise InputError(f"store: give one column as {role}: ?{role}=COLUMN")
    if options and not columns:
        raise InputError(f"store: {clip(options, 40)!r}: give ?ROLE=COLUMN")
    return place.partition("://")[2], name, columns


def existing(place: str, kind: Literal["file", "folder", "file or folder"] = "file") -> str:
    """The path of a file or folder; most stores would create one that does not exist.

    Raises:
        InputError: there is nothing at that path.
    """
    is_there = {"file": Path.is_file, "folder": Path.is_dir, "file or folder": Path.exists}[kind]
    path = path_of(place)
    if not is_there(path):
        raise InputError(f"{place}: no such {kind}")
    return str(path)


def quoted(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'
