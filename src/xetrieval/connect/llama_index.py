"""LlamaIndex: a postprocessor that adds to each node why it was found.

    engine = index.as_query_engine(node_postprocessors=[ExplainNodes(explainer="my-index")])

Importing this module needs the package llama-index-core.
"""

from __future__ import annotations

from typing import Any

from ..extras import require
from .hits import KEY, Metric, StoreHit, explain_hits, summary

require("llama_index.core", "llama-index")
from llama_index.core.postprocessor.types import BaseNodePostprocessor  # noqa: E402
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle  # noqa: E402


class ExplainNodes(BaseNodePostprocessor):
    """Adds `metadata["xetrieval"]` to each node, and keeps it out of prompts and embeddings.

    Vectors of the query and of nodes are used where they are present; otherwise `embed_model` makes them, or the
    explainer's own encoder.

    Args:
        explainer: that of the corpus; see `explain_hits`.
        embed_model: LlamaIndex's, which must be the explainer's encoder.
        metric: what the retriever's scores are (a key of METRICS), to compare them with the explained ones; None: they
            are not compared.
    """

    explainer: Any = "minilm"
    embed_model: Any = None
    metric: Metric | None = None
    top: int = 4
    words: bool = False

    @classmethod
    def class_name(cls) -> str:
        """Its name in LlamaIndex."""
        return "XetrievalExplainNodes"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if not nodes or query_bundle is None:
            return nodes
        q, own = query_bundle.embedding, self.embed_model
        if q is None and own is not None:
            q = own.get_query_embedding(query_bundle.query_str)
        hits = []
        for one in nodes:
            text, vector = one.node.get_content(MetadataMode.EMBED), one.node.embedding
            if vector is None and own is not None:
                vector = own.get_text_embedding(text)
            hits.append(StoreHit(one.node.node_id, one.score if self.metric else None, vector, text))
        explained = explain_hits(
            self.explainer,
            query_bundle.query_str,
            hits,
            metric=self.metric or "cosine",
            vector=q,
            words=self.words,
        )
        for one, explanation in zip(nodes, explained, strict=True):
            node = one.node
            node.metadata[KEY] = summary(explanation, self.top)
            for keys in (node.excluded_llm_metadata_keys, node.excluded_embed_metadata_keys):
                if KEY not in keys:
                    keys.append(KEY)
        return nodes
