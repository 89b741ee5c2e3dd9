"""A stub of Elasticsearch and OpenSearch: answers as their documentation says, from the files of an export.

It is not an engine: no server of either could be had here. `search` and `indices` are called as those of a client;
`served` puts the same behind HTTP for the real clients.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np


class Stub:
    """One index of a cluster."""

    def __init__(self, folder: Path, name: str, vectors_in_source: bool = True) -> None:
        self.name, self.mapping = name, json.loads((folder / "mapping.json").read_text())
        self.rows: dict[str, dict[str, Any]] = {}
        self.vectors_in_source = vectors_in_source
        self.indices = self
        for part in sorted(folder.glob("bulk-*.ndjson")):
            lines = [json.loads(line) for line in part.read_text().splitlines()]
            for action, source in zip(lines[::2], lines[1::2], strict=True):
                assert action["index"]["_index"] == name
                assert all("." not in token and value > 0 for token, value in source["xetrieval"].items())
                self.rows[action["index"]["_id"]] = source

    def get_mapping(self, index: str) -> dict[str, Any]:
        return {index: {"mappings": self.mapping["mappings"]}}

    def search(self, index: str, body: dict[str, Any]) -> dict[str, Any]:
        assert index == self.name
        scored = {name: self._score(row, body) for name, row in self.rows.items()}
        found = sorted((name for name, score in scored.items() if score is not None), key=lambda name: -scored[name])
        if "sort" in body:
            column = next(iter(body["sort"][0]))
            after = body.get("search_after", [""])[0]
            found = sorted(name for name in found if self.rows[name][column] > after)
        hits = [self._hit(name, scored[name], body) for name in found[: body["size"]]]
        return {"took": 1, "hits": {"total": {"value": len(found), "relation": "eq"}, "hits": hits}}

    def _hit(self, name: str, score: float, body: dict[str, Any]) -> dict[str, Any]:
        source = dict(self.rows[name])
        vector = source["vector"] if self.vectors_in_source else source.pop("vector")
        hit = {"_index": self.name, "_id": name, "_score": score, "_source": source, "sort": [source["id"]]}
        return {**hit, **({"fields": {"vector": vector}} if "vector" in body.get("fields", ()) else {})}

    def _score(self, row: dict[str, Any], query: dict[str, Any]) -> float | None:
        if "knn" in query and "query_vector" in query["knn"]:  # Elasticsearch
            return (1 + float(np.dot(query["knn"]["query_vector"], row["vector"]))) / 2
        query = query.get("query", query)
        kind, inner = next(iter(query.items()))
        if kind == "knn":  # OpenSearch
            return (1 + float(np.dot(inner["vector"]["vector"], row["vector"]))) / 2
        if kind == "bool":
            if any(part["term"]["xetrieval_names"] not in row["xetrieval_names"] for part in inner["filter"]):
                return None
            return (
                sum((self._score(row, part) or 0.0) for part in inner.get("must", ())) or None
                if inner.get("must")
                else 0.0
            )
        if kind == "match_all":
            return 1.0
        tokens = inner["query_vector"] if kind == "sparse_vector" else inner["xetrieval"]["query_tokens"]
        return sum(value * row["xetrieval"].get(token, 0.0) for token, value in tokens.items()) or None


@contextmanager
def served(stub: Stub) -> Iterator[str]:
    """The address of a stub behind HTTP."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            info = {"version": {"number": "9.5.1", "build_flavor": "default"}, "tagline": "You Know, for Search"}
            self._answer(stub.get_mapping(stub.name) if "_mapping" in self.path else info)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(stub.search(self.path.split("/")[1], body))

        def _answer(self, content: dict[str, Any]) -> None:
            blob = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("X-Elastic-Product", "Elasticsearch")
            accepted = self.headers.get("Accept", "").split(",")[0]
            self.send_header("Content-Type", accepted if "json" in accepted else "application/json")
            self.send_header("Content-Length", str(len(blob)))
            self.end_headers()
            self.wfile.write(blob)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
