"""OpenSearch: as `elasticsearch`, with its own mapping and queries.

    opensearch://FOLDER#INDEX          a folder for `xetrieval index export`
    opensearch+http://HOST:9200#INDEX  a cluster to read from, as `--store`

Scores are those of a `knn_vector` with the space cosinesimil: (1 + cos) / 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..arrays import Float32
from ..extras import require
from .elasticsearch import FILTER, Elasticsearch, _mapping
from .hits import KEY


class OpenSearch(Elasticsearch):
    """An index of a cluster, through an `opensearchpy.OpenSearch`."""

    kind = "opensearch"
    similarities = frozenset({"cosinesimil"})

    @staticmethod
    def _client(url: str) -> Any:
        return require("opensearchpy", "opensearch").OpenSearch(url)

    @classmethod
    def _kind_of(cls, field: Mapping[str, Any]) -> tuple[str, bool]:
        method = field.get("method") or {}
        rounded = "encoder" in method.get("parameters", {}) or field.get("compression_level", "1x") != "1x"
        return method.get("space_type") or field.get("space_type") or "l2", rounded or field.get("mode") == "on_disk"

    @staticmethod
    def nearest_body(field: str, vector: Float32, k: int) -> dict[str, Any]:
        """The request that finds the k nearest vectors."""
        return {"query": {"knn": {field: {"vector": vector.tolist(), "k": k}}}}

    @staticmethod
    def _sparse(tokens: Mapping[str, float], names: Sequence[str]) -> dict[str, Any]:
        query = {"neural_sparse": {KEY: {"query_tokens": tokens}}}
        return {"bool": {"must": [query], "filter": [{"term": {FILTER: name}} for name in names]}}

    @staticmethod
    def mapping(dimension: int) -> dict[str, Any]:
        """The request that creates the index."""
        method = {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"}
        made = _mapping(
            {"type": "knn_vector", "dimension": dimension, "method": method}, "rank_features", "flat_object"
        )
        return {"settings": {"index.knn": True}, **made}

    def _wanted(self) -> dict[str, Any]:
        return {"_source": True}


STORE = OpenSearch
