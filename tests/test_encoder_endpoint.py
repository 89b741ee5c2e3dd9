"""An embedding endpoint over real HTTP: keys, prompts, retries and refusals."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from xetrieval.encoders import (
    EndpointEncoder,
    HashingEncoder,
    open_encoder,
    read_texts,
)
from xetrieval.errors import EndpointError, InputError


class Server(ThreadingHTTPServer):
    """An embeddings server that misbehaves as its queue says; "ok" when that is empty."""

    def __init__(self) -> None:
        self.moods: list[str] = []
        self.requests: list[dict] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:  # the name http.server calls
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server: Server = self.server  # type: ignore[assignment]
        server.requests.append({"path": self.path, "key": self.headers.get("Authorization"), **body})
        mood = server.moods.pop(0) if server.moods else "ok"
        if mood.isdigit():
            self.send_response(int(mood))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        vectors = HashingEncoder(8).encode_document(body["input"]).tolist()
        data = [{"index": i, "embedding": v} for i, v in enumerate(vectors)][::-1]
        payload = {"ok": json.dumps({"data": data}), "cut": '{"data": [', "odd": '{"error": "no"}'}
        payload["short"] = json.dumps({"data": data[:-1]})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(payload[mood].encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr("time.sleep", lambda _: None)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()


def test_an_endpoint_is_an_encoder_and_the_key_is_sent_but_not_kept(server: Server, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("OPENAI_API_KEY", "secret-123")
    encoder = open_encoder(f"{server.url}#small")
    encoded = read_texts(encoder, ["red apple", "blue sky"], "document")
    assert np.allclose(encoded.vectors, HashingEncoder(8).encode_document(["red apple", "blue sky"]), atol=1e-6)
    assert server.requests[-1]["key"] == "Bearer secret-123"
    assert server.requests[-1]["model"] == "small"
    assert "secret" not in repr(vars(encoder)) + repr(encoder.identity)


def test_prompts_stand_before_queries_and_documents(server: Server) -> None:
    encoder = EndpointEncoder(server.url, "m", query_prompt="query: ", document_prompt="passage: ")
    encoder.encode_query(["a"])
    encoder.encode_document(["b"])
    assert [r["input"] for r in server.requests[-2:]] == [["query: a"], ["passage: b"]]


@pytest.mark.slow
@pytest.mark.parametrize("moods", [["429"], ["500", "503"], ["cut"]])
def test_a_server_that_recovers_is_asked_again(server: Server, moods: list[str]) -> None:
    encoder = EndpointEncoder(server.url, "m")
    assert encoder.identity.dimension == 8
    server.moods = list(moods)
    assert encoder.encode_query(["a"]).shape == (1, 8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moods", "words"),
    [
        (["401"], "HTTP 401, the key is missing or wrong; set it"),
        (["404"], "HTTP 404"),
        (["500"] * 9, "HTTP 500"),
        (["odd"], "has no embeddings"),
        (["short"], "1 embeddings for 2 texts"),
        (["cut"] * 9, "not JSON"),
    ],
)
def test_a_server_that_does_not_is_reported(server: Server, moods: list[str], words: str) -> None:
    encoder = EndpointEncoder(server.url, "m")
    server.moods = list(moods)
    with pytest.raises(EndpointError, match=words):
        encoder.encode_query(["a", "b"])


def test_a_server_that_is_not_there_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(EndpointError, match="ConnectError"):
        EndpointEncoder("http://127.0.0.1:9/v1", "m").encode_query(["a"])


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("http://host/v1", "#MODEL"),
        ("hashing:abc", "as a number"),
        ("hashing:1", "use 2 to"),
        ("vectors:absent.npy", "no such file"),
        ("./absent", "no such model folder"),
        ("vectors:readme.txt", "no such file"),
    ],
)
def test_sources_that_are_no_encoder_are_refused(source: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        open_encoder(source)
