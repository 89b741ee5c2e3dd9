"""Elasticsearch: an index exported as bulk requests, and hits of a cluster, each with the named shares of its score.

    elasticsearch://FOLDER#INDEX         a folder for `xetrieval index export`
    elasticsearch+http://HOST:9200#INDEX  a cluster to read from, as `--store`; its key is in ELASTICSEARCH_API_KEY

Scores are those of a `dense_vector` with the similarity cosine or dot_product: (1 + cos) / 2.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Float32
from ..errors import InputError
from ..extras import require
from ..files import new_folder, path_of
from ..index import Index
from ..index.build.stores import Record
from .hits import KEY, Source, StoreHit, explain_hits, explainer_from, query_vector, summary
from .store import PAGE, Named, TableStore, hit_of, place_of
from .write import fields_of, pages, vector_of

VECTOR: Final = "vector"
FILTER: Final = f"{KEY}_names"  # names of features; KEY itself contains the codes
LONGEST_ID: Final = 512  # bytes
STUBS: Final = ("No Explanation", "within top")  # what the engines say about the score of a vector


class Elasticsearch(TableStore):
    """An index of a cluster, through its client.

    Args:
        client: an `elasticsearch.Elasticsearch`.
        columns: (role, field) for fields that are not called id, text, title and vector.
    """

    kind: ClassVar[str] = "elasticsearch"
    exact: ClassVar[frozenset[str]] = frozenset({"hnsw", "flat"})  # index options that keep vectors as they are
    similarities: ClassVar[frozenset[str]] = frozenset({"cosine", "dot_product"})
    metric = "shifted cosine"

    def __init__(self, client: Any, index: str, columns: Sequence[tuple[str, str]] = ()) -> None:
        self.client, self.index, self.columns = client, index, tuple(columns)
        found = dict(client.indices.get_mapping(index=index))
        self.properties = next(iter(found.values()))["mappings"].get("properties", {})
        self.present([*self.properties, self.chosen["id"]])
        similarity, self.quantised = self._kind_of(self.properties[self.chosen["vector"]])
        if similarity not in self.similarities:
            raise InputError(
                f"{self.name}: scores by {similarity} are not converted; {', '.join(sorted(self.similarities))} are"
            )

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.index}"

    def records(self) -> Iterator[Record]:
        """Documents by id, which must be a keyword."""
        column, after = self.chosen["id"], None
        if self.properties.get(column, {}).get("type") != "keyword":
            raise InputError(f"{self.name}: no keyword field {column!r} to read by; name it with ?id=FIELD")
        while True:
            body = {"size": PAGE, "sort": [{column: "asc"}], "query": {"match_all": {}}, **self._wanted()}
            hits = self._hits({**body, **({"search_after": after} if after else {})})
            yield from map(self._record, hits)
            if not hits:
                return
            after = hits[-1]["sort"]

    def nearest(self, vector: Float32, k: int) -> list[StoreHit]:
        """The k nearest documents."""
        body = {"size": k, **self._wanted(), **self.nearest_body(self.chosen["vector"], vector, k)}
        return [hit_of(self._record(hit), hit["_score"]) for hit in self._hits(body)]

    def named_shares(
        self,
        response: Mapping[str, Any],
        query: str | ArrayLike,
        explainer: Source = "minilm",
        *,
        sub_query: int | None = None,
        top: int = 4,
    ) -> dict[str, Any]:
        """A search response in which each hit has the named shares of its score.

        They are in `fields.xetrieval`, where sub-scores are; where the response has an `_explanation`, its stub for the
        vector is replaced by them.

        Args:
            response: what the cluster returned, with the vectors of its hits.
            query: a text, or the vector that was searched with.
            sub_query: the number of the vector's query in a hybrid query whose hits have
                `fields.hybridization_sub_query_scores`; its score is the explained one.
        Raises:
            MismatchError: a score does not belong to the hit's vector and the query's.
        """
        made: dict[str, Any] = json.loads(json.dumps(dict(response)))
        opened = explainer_from(explainer)
        hits = made["hits"]["hits"]
        scores = [hit["_score"] if sub_query is None else _sub_score(hit, sub_query) for hit in hits]
        stored = [hit_of(self._record(hit), score) for hit, score in zip(hits, scores, strict=True)]
        explained = explain_hits(opened, query, stored, metric=self.metric, quantised=self.quantised, words=False)
        for hit, one, score in zip(hits, explained, scores, strict=True):
            short = summary(one, top)
            hit.setdefault("fields", {})[KEY] = [short]
            if "_explanation" in hit:
                hit["_explanation"] = _filled(hit["_explanation"], _details(short), score)
        return made

    def features_body(
        self, query: str | ArrayLike, explainer: Source = "minilm", k: int = 10, names: Sequence[str] = ()
    ) -> dict[str, Any]:
        """The request that finds documents by the features of a query, among those that have the named features."""
        opened = explainer_from(explainer)
        codes = opened.sae.encode(_unit(query_vector(opened, query))[None])
        active = codes.values[0] > 0
        tokens = _tokens(codes.features[0][active].tolist(), codes.values[0][active].tolist())
        return {"size": k, "query": self._sparse(tokens, names)}

    @classmethod
    def write(cls, index: Index, folder: str | Path, name: str) -> None:
        """Write an index into a new folder: mapping.json, bulk-0001.ndjson and so on, queries.json and README.md.

        Raises:
            InputError: the folder exists already, an unusable name, or an index that cannot be exported.
        """
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,200}", name):
            raise InputError(
                f"{cls.kind} index {name!r}: use lower-case letters, digits, hyphens, dots and underscores"
            )
        with new_folder(path_of(folder)) as made:
            for number, page in enumerate(pages(index), 1):
                lines = [line for one in page for line in cls._lines(one, name)]
                (made / f"bulk-{number:04}.ndjson").write_text("".join(lines), "utf-8")
                if number == 1:
                    _write_json(made / "queries.json", cls._queries(page[0]))
            _write_json(made / "mapping.json", cls.mapping(index.manifest.dimension))
            (made / "README.md").write_text(README.format(name=name, kind=cls.kind), "utf-8")

    @classmethod
    def write_url(cls, index: Index, url: str) -> None:
        """Write an index into the folder that a URL names."""
        place, name, _ = place_of(url, f"{cls.kind}://FOLDER#INDEX")
        cls.write(index, place, name)

    @classmethod
    def of_url(cls, url: str) -> Elasticsearch:
        """The index that a URL names.

        Raises:
            InputError: no such index, or no answer. MissingExtra: without the package elasticsearch.
        """
        place, name, columns = place_of(url, f"{cls.kind}+http://localhost:9200#documents")
        try:
            return cls(cls._client(f"http://{place}"), name, columns)
        except Exception as error:  # the clients have no class in common
            if isinstance(error, InputError) or type(error).__module__.partition(".")[0] == "xetrieval":
                raise
            raise InputError(f"{cls.kind}:{name}: {str(error).splitlines()[0]}") from error

    # ------------------------------------------------------------------ what OpenSearch does otherwise

    @staticmethod
    def _client(url: str) -> Any:
        module = require("elasticsearch", "elasticsearch")
        return module.Elasticsearch(url, api_key=os.environ.get("ELASTICSEARCH_API_KEY"))

    @classmethod
    def _kind_of(cls, field: Mapping[str, Any]) -> tuple[str, bool]:
        """A vector field's similarity, and whether its scores come from rounded vectors."""
        options = field.get("index_options", {}).get("type", "hnsw")
        return field.get("similarity", "cosine"), options not in cls.exact

    @staticmethod
    def nearest_body(field: str, vector: Float32, k: int) -> dict[str, Any]:
        """The request that finds the k nearest vectors."""
        candidates = min(max(100, 10 * k), 10_000)
        return {"knn": {"field": field, "query_vector": vector.tolist(), "k": k, "num_candidates": candidates}}

    @staticmethod
    def _sparse(tokens: Mapping[str, float], names: Sequence[str]) -> dict[str, Any]:
        query = {"sparse_vector": {"field": KEY, "query_vector": tokens, "prune": False}}
        return {"bool": {"must": [query], "filter": [{"term": {FILTER: name}} for name in names]}}

    @staticmethod
    def mapping(dimension: int) -> dict[str, Any]:
        """The request that creates the index. Its vectors are not rounded, so that scores are exact."""
        kept = {"type": "dense_vector", "dims": dimension, "index": True, "similarity": "cosine"}
        return _mapping({**kept, "index_options": {"type": "hnsw"}}, "sparse_vector", "flattened")

    # ------------------------------------------------------------------ lines and responses

    def _wanted(self) -> dict[str, Any]:
        return {"_source": True, "fields": [self.chosen["vector"]]}  # since 9.2, vectors are not in _source

    def _hits(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = dict(self.client.search(index=self.index, body=dict(body)))["hits"]["hits"]
        return found

    def _record(self, hit: Mapping[str, Any]) -> Record:
        row, chosen = dict(hit.get("_source") or {}), self.chosen
        metadata = row.pop("metadata", {})
        row |= metadata if isinstance(metadata, Mapping) else {"metadata": metadata}
        row.pop(KEY, None)
        row.setdefault(chosen["id"], hit["_id"])
        vector = (hit.get("fields") or {}).get(chosen["vector"], row.get(chosen["vector"]))
        row[chosen["vector"]] = None if vector is None else np.ravel(vector)
        return self.record(0, row)

    @classmethod
    def _lines(cls, one: Named, name: str) -> list[str]:
        """Two lines of a bulk request."""
        identifier = one.handle.document.id
        if len(identifier.encode()) > LONGEST_ID:
            raise InputError(f"document {identifier[:60]!r}...: {cls.kind} takes ids of at most {LONGEST_ID} bytes")
        fields = fields_of(one)
        names, metadata = fields.pop(KEY), one.handle.document.fields["metadata"]
        source = {**fields, VECTOR: vector_of(one), KEY: _tokens(one.feature_ids, one.activations), FILTER: names}
        return [_line({"index": {"_index": name, "_id": identifier}}), _line({**source, "metadata": metadata})]

    @classmethod
    def _queries(cls, one: Named) -> dict[str, Any]:
        """Example requests, which the first document answers."""
        vector, tokens = np.asarray(one.handle.vector, np.float32), _tokens(one.feature_ids, one.activations)
        return {
            "nearest": {"size": 10, **cls.nearest_body(VECTOR, vector, 10)},
            "features": {"size": 10, "query": cls._sparse(tokens, ())},
            "named": {"size": 10, "query": {"bool": {"filter": [{"term": {FILTER: name}} for name in one.names[:1]]}}},
        }


STORE = Elasticsearch

README: Final = """# {name} for {kind}

    curl -X PUT "$URL/{name}" -H "Content-Type: application/json" --data-binary @mapping.json
    for part in bulk-*.ndjson; do
      curl -X POST "$URL/_bulk" -H "Content-Type: application/x-ndjson" --data-binary "@$part"
    done

Send each request again as you like: a document replaces the one with its id. `queries.json` has three requests for
`$URL/{name}/_search`: the nearest vectors, documents that share features, documents with a named feature.

These files contain the documents, and the names of features are words from them: share them only with those who may
read the documents.
"""


def _mapping(vector: Mapping[str, Any], codes: str, metadata: str) -> dict[str, Any]:
    keyword, text = {"type": "keyword"}, {"type": "text"}
    fields = {"id": keyword, "title": text, "text": text, VECTOR: vector, FILTER: keyword}
    return {"mappings": {"properties": {**fields, KEY: {"type": codes}, "metadata": {"type": metadata}}}}


def _tokens(feature_ids: Sequence[int], activations: Sequence[float]) -> dict[str, float]:
    """A code, keyed by feature number: names may contain dots, which these fields refuse."""
    return {str(j): round(value, 6) for j, value in zip(feature_ids, activations, strict=True) if round(value, 6) > 0}


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False) + "\n"


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _unit(vector: Float32) -> Float32:
    unit: Float32 = (vector / np.linalg.norm(vector)).astype(np.float32)
    return unit


def _sub_score(hit: Mapping[str, Any], sub_query: int) -> float:
    scores = (hit.get("fields") or {}).get("hybridization_sub_query_scores")
    if not isinstance(scores, list) or not 0 <= sub_query < len(scores):
        raise InputError(f"hit {hit['_id']!r}: no score of sub-query {sub_query}; switch on sub_query_scores")
    return float(scores[sub_query])


def _details(short: Mapping[str, Any]) -> dict[str, Any]:
    """A summary as a part of an `_explanation`."""
    parts = [(f"{one['name']} (feature {one['feature_id']})", one["share"]) for one in short["features"]]
    parts = [("bias", short["bias"]), *parts, ("other features", short["other_features"])]
    details = [_part(value, about) for about, value in [*parts, ("remainder (not explained)", short["remainder"])]]
    return {**_part(short["score"], "cosine, sum of:"), "details": details}


def _part(value: float, about: str) -> dict[str, Any]:
    return {"value": value, "description": about, "details": []}


def _filled(explanation: dict[str, Any], shares: dict[str, Any], score: float) -> dict[str, Any]:
    """An explanation in which the stub for the vector has its shares."""
    if str(explanation.get("description", "")).startswith(STUBS):
        return {"value": score, "description": "(1 + cosine) / 2 of the vectors", "details": [shares]}
    parts = [_filled(part, shares, score) for part in explanation.get("details") or ()]
    return {**explanation, "details": parts}
