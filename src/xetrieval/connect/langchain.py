"""LangChain: explanations in the metadata of documents, behind any retriever or from an index of ours.

    explain = ExplainDocuments(explainer="my-index", embeddings=my_embeddings)
    for document in explain.compress_documents(retriever.invoke(query), query):
        print(document.metadata["xetrieval"]["features"])

Importing this module needs the package langchain-core.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from ..encoders import FunctionEncoder
from ..extras import require
from ..index import Index, open_index
from .hits import KEY, Metric, Source, StoreHit, explain_hits, explainer_from, summary

require("langchain_core", "langchain")
from langchain_core.callbacks import CallbackManagerForRetrieverRun, Callbacks  # noqa: E402
from langchain_core.documents import BaseDocumentCompressor, Document  # noqa: E402
from langchain_core.embeddings import Embeddings  # noqa: E402
from langchain_core.retrievers import BaseRetriever  # noqa: E402


class ExplainDocuments(BaseDocumentCompressor):
    """Adds to each document's metadata why it was found; it keeps all documents and their order.

    Args:
        explainer: that of the corpus; see `explain_hits`.
        embeddings: those of the retriever, which must be the explainer's encoder. Without them, the explainer's own
            encoder reads the texts.
        metric: what the retriever's scores are (a key of METRICS), to compare them with the explained ones; None: they
            are not compared.
        top: features in each explanation; the others are added up.
        words: also the words that carry each share.
    """

    explainer: Any = "minilm"
    embeddings: Any = None
    metric: Metric | None = None
    top: int = 4
    words: bool = False

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        """The documents with `metadata["xetrieval"]`, and with `metadata["score"]`, a cosine, where there is none."""
        texts, own = [document.page_content for document in documents], self.embeddings
        vectors = own.embed_documents(texts) if own and texts else [None] * len(texts)
        hits = [
            StoreHit(str(document.id or place), document.metadata.get("score") if self.metric else None, vector, text)
            for place, (document, vector, text) in enumerate(zip(documents, vectors, texts, strict=True))
        ]
        q = own.embed_query(query) if own and texts else None
        explained = explain_hits(
            self.explainer, query, hits, metric=self.metric or "cosine", vector=q, words=self.words
        )
        return [
            document.model_copy(
                update={"metadata": {"score": one.score, **document.metadata, KEY: summary(one, self.top)}}
            )
            for document, one in zip(documents, explained, strict=True)
        ]


class IndexRetriever(BaseRetriever):
    """An index of ours as a retriever; each document has its score and its explanation in its metadata.

    Args:
        index: an index, or its folder.
        filters: conditions on metadata, as in `Index.search`.
    """

    index: Any
    k: int = 4
    by: str = "dense"
    filters: Any = None
    top: int = 4

    @cached_property
    def _opened(self) -> Index:
        return self.index if isinstance(self.index, Index) else open_index(self.index)

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        hits = self._opened.search(query, self.k, self.by, filters=self.filters)
        return [
            Document(
                id=hit.doc_id,
                page_content=hit.document.text,
                metadata={**hit.metadata, "score": hit.score, KEY: summary(hit.explanation, self.top)},
            )
            for hit in hits
        ]


class ExplainerEmbeddings(Embeddings):
    """The encoder of an explainer, for LangChain's vector stores."""

    def __init__(self, explainer: Source = "minilm") -> None:
        self._encoder = explainer_from(explainer).encoder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors of documents."""
        vectors: list[list[float]] = self._encoder.encode_document(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The vector of a query."""
        vector: list[float] = self._encoder.encode_query([text])[0].tolist()
        return vector


def encoder_of(embeddings: Embeddings, name: str, version: str) -> FunctionEncoder:
    """LangChain embeddings as an encoder, so that an explainer can be fitted for them; see `FunctionEncoder`."""
    return FunctionEncoder(
        lambda texts: embeddings.embed_documents(list(texts)),
        lambda texts: [embeddings.embed_query(text) for text in texts],
        name,
        version,
    )
