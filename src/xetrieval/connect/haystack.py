"""Haystack: a component that adds to each document why it was found.

    from xetrieval.connect.haystack import ExplainDocuments

    pipeline.add_component("explain", ExplainDocuments(explainer="my-index"))
    pipeline.connect("retriever.documents", "explain.documents")

Haystack's usage statistics are switched off, unless HAYSTACK_TELEMETRY_ENABLED says otherwise.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from ..extras import require
from .hits import KEY, Metric, StoreHit, explain_hits, summary

os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")
require("haystack", "haystack")
from haystack import Document, component  # noqa: E402


@component
class ExplainDocuments:
    """Adds `meta["xetrieval"]` to each document.

    Args:
        explainer: the name or folder of the corpus's explainer, or the folder of its index.
        metric: what the retriever's scores are (a key of METRICS), to compare them with the explained ones; None: they
            are not compared.
        top: features in each explanation; the others are added up.
        words: also the words that carry each share.
    """

    def __init__(
        self, explainer: str = "minilm", top: int = 4, *, metric: Metric | None = None, words: bool = False
    ) -> None:
        self.explainer, self.top, self.metric, self.words = explainer, top, metric, words

    @component.output_types(documents=list[Document])
    def run(
        self, documents: list[Document], query: str = "", query_embedding: list[float] | None = None
    ) -> dict[str, Any]:
        """The documents, explained. Embeddings are used where they are present; a retriever returns them with
        return_embedding=True.
        """
        hits = [
            StoreHit(one.id, one.score if self.metric else None, one.embedding, one.content or "") for one in documents
        ]
        if not hits:
            return {"documents": documents}
        given = (
            query or query_embedding or ""
        )  # neither: refused, since documents without explanations look like success
        explained = explain_hits(
            self.explainer, given, hits, metric=self.metric or "cosine", vector=query_embedding, words=self.words
        )
        return {
            "documents": [
                replace(one, meta={**one.meta, KEY: summary(explanation, self.top)})
                for one, explanation in zip(documents, explained, strict=True)
            ]
        }
