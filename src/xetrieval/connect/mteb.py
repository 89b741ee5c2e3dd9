"""mteb: an index of ours as a search model, whose hits can be explained, and the encoder of an explainer as an encoder.

    import mteb
    from xetrieval.connect.mteb import Search

    search = Search("indexes", "minilm")
    mteb.evaluate(search, mteb.get_task("SciFact"))
    search.indexes["SciFact-default-test"].search("a query")[0].explanation

Importing this module needs the package mteb.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..configs import BuildConfig, ChunkConfig
from ..errors import InputError, MismatchError
from ..extras import require
from ..files import path_of
from ..index import Corpus, Index, build_index, open_index
from ..registry import search_mode
from .hits import Source, explainer_from

require("mteb", "mteb")
from mteb.models.model_meta import ModelMeta  # noqa: E402

Rows = Iterable[Mapping[str, Any]]
WHOLE: Final = ChunkConfig(whole=True)  # judgments are about documents


class Task(Protocol):
    """The part of a task's metadata that is used."""

    name: str


class Search:
    """mteb's `SearchProtocol`: builds an index of each task's corpus and searches it.

    Args:
        folder: where the indexes are kept, as TASK-SUBSET-SPLIT; one that exists already is used again.
        explainer: as in `build_index`.
        by: a search mode, as in `Index.search`.
        config: how the indexes are built.
    """

    def __init__(
        self, folder: str | Path, explainer: Source = "minilm", by: str = "dense", config: BuildConfig | None = None
    ) -> None:
        search_mode(by)
        self.folder, self.explainer, self.by = path_of(folder), explainer_from(explainer), by
        self.config = config or BuildConfig()
        self.indexes: dict[str, Index] = {}
        self._current = ""

    @property
    def mteb_model_meta(self) -> ModelMeta:
        """What is measured: the encoder, the search mode and the explainer."""
        return _meta(
            f"xetrieval/{self.explainer.encoder_identity.name.split('/')[-1]}-{self.by}", self.explainer.digest
        )

    def index(self, corpus: Rows, *, task_metadata: Task, hf_split: str, hf_subset: str, **_: object) -> None:
        """Build the index of a corpus, or open the one that is there.

        Raises:
            InputError: an index of other documents is in its place. MismatchError: it is by another encoder.
        """
        self._current = "-".join((task_metadata.name, hf_subset, hf_split))
        place = self.folder / self._current
        rows = {row["id"]: _text(row) for row in corpus}
        if not place.exists():
            with tempfile.TemporaryDirectory() as scratch:
                lines = Path(scratch) / "corpus.jsonl"
                lines.write_text("".join(json.dumps({"_id": name, "text": text}) + "\n" for name, text in rows.items()))
                build_index(Corpus((lines,), WHOLE), self.explainer, place, self.config)
        opened = open_index(place)
        if len(opened) != len(rows) or any(opened.find(name) is None for name in rows):
            raise InputError(f"{place}: an index of other documents; remove it, or give another folder")
        own, other = self.explainer.encoder_identity, opened.explainer.encoder_identity
        if different := own.differences(other):
            raise MismatchError(f"{place}: an index by another encoder ({different}); give another folder")
        self.indexes[self._current] = opened

    def search(
        self, queries: Rows, *, top_k: int, top_ranked: Mapping[str, list[str]] | None = None, **_: object
    ) -> dict[str, dict[str, float]]:
        """The best documents for each query; if `top_ranked` is given, only its documents are ranked."""
        index, found = self.indexes[self._current], {}
        for row in queries:
            among = None if top_ranked is None else set(top_ranked[row["id"]])
            hits = index.search(_text(row), top_k if among is None else len(index), self.by)
            best = {hit.doc_id: float(hit.score) for hit in hits if among is None or hit.doc_id in among}
            found[row["id"]] = dict(list(best.items())[:top_k])
        return found


class Encoder:
    """mteb's encoder protocol: the vectors that an explainer explains."""

    def __init__(self, explainer: Source = "minilm") -> None:
        self.explainer = explainer_from(explainer)

    @property
    def mteb_model_meta(self) -> ModelMeta:
        """The encoder."""
        return _meta(self.explainer.encoder_identity.name, self.explainer.digest)

    def encode(self, inputs: Iterable[Mapping[str, list[str]]], *, prompt_type: object = None, **_: object) -> Float32:
        """Vectors of texts [n, m], read as queries or as documents."""
        encoder = self.explainer.encoder
        read = (
            encoder.encode_query if getattr(prompt_type, "value", prompt_type) == "query" else encoder.encode_document
        )
        blocks = [read(batch["text"]) for batch in inputs]
        empty = np.empty((0, self.explainer.sae.dimension), np.float32)
        vectors: Float32 = np.concatenate([empty, *blocks]).astype(np.float32)
        return vectors

    def similarity(self, embeddings1: NDArray[Any], embeddings2: NDArray[Any]) -> NDArray[Any]:
        """Cosines of all pairs; the vectors are of unit length."""
        products: NDArray[Any] = np.atleast_2d(embeddings1) @ np.atleast_2d(embeddings2).T
        return products

    def similarity_pairwise(self, embeddings1: NDArray[Any], embeddings2: NDArray[Any]) -> NDArray[Any]:
        """Cosines row by row."""
        products: NDArray[Any] = np.einsum("nm,nm->n", np.atleast_2d(embeddings1), np.atleast_2d(embeddings2))
        return products


def _text(row: Mapping[str, Any]) -> str:
    return f"{row.get('title') or ''} {row['text']}".strip()


def _meta(name: str, revision: str) -> ModelMeta:
    name = name if "/" in name else f"xetrieval/{name}"
    return ModelMeta.create_empty(overwrites={"name": name, "revision": revision[:12]})
