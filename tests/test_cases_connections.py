"""Connections that stall, trickle or crowd: closed in time while others are answered."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import random_explainer
from index_data import SMALL, records, write_corpus

pytest.importorskip("fastapi", reason='pip install "xetrieval[ui]"')
import uvicorn

from xetrieval.index import Corpus, build_index, open_index
from xetrieval.serve.app import create_app
from xetrieval.serve.limits import Gate, Limits
from xetrieval.serve.listen import listening

pytest.importorskip("fastapi", reason='pip install "xetrieval[ui]"')


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("server")
    build_index(Corpus((write_corpus(home / "corpus.jsonl", records(40)),)), random_explainer(), home / "toy", SMALL)
    return home / "toy"


def make(folder: Path, **options: Any) -> Any:
    return create_app({"toy": open_index(folder)}, random_explainer(), **options)


@contextmanager
def serving(app: Any, limits: Limits) -> Iterator[int]:
    config = uvicorn.Config(app, port=0, http=listening(limits), ws="none", log_level="critical", timeout_keep_alive=20)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(timeout=20)


def connect(port: int, sent: bytes) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), timeout=10)
    made.sendall(sent)
    return made


def closed(one: socket.socket, seconds: float) -> bool:
    """Whether the server ends the connection within `seconds`."""
    end = time.monotonic() + seconds
    try:
        while (left := end - time.monotonic()) > 0:
            one.settimeout(left)
            if not one.recv(65536):
                return True
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return False


HEAD = b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\n"
BODY = HEAD + b"Content-Type: application/json\r\nContent-Length: 500\r\n\r\n"
GET = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"


def health(port: int) -> bytes:
    with connect(port, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")) as one:
        answer = b""
        while part := one.recv(65536):
            answer += part
    return answer


@pytest.mark.slow
@pytest.mark.parametrize("token", [None, "a token"])
def test_half_sent_requests_are_closed_and_others_answered_meanwhile(folder: Path, token: str | None) -> None:
    limits = Limits(arrival=1.0)
    with serving(make(folder, limits=limits, token=token), limits) as port, ExitStack() as stack:
        halves = [stack.enter_context(connect(port, HEAD)) for _ in range(300)]
        halves += [stack.enter_context(connect(port, BODY + b'{"query"')) for _ in range(200)]
        expected = b"200 OK" if token is None else b"401 Unauthorized"
        assert expected in health(port).split(b"\r\n", 1)[0]
        end = time.monotonic() + 20
        assert all(closed(one, end - time.monotonic()) for one in halves)
        assert expected in health(port).split(b"\r\n", 1)[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "first", [b"", b"\r\n", HEAD, BODY, GET + b"POST", GET + BODY, HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n"]
)
def test_bytes_that_trickle_do_not_keep_a_connection(folder: Path, first: bytes) -> None:
    """The time is one for the whole request, not one between two bytes; an answered request gives no more of it."""
    limits = Limits(arrival=0.6)
    with serving(make(folder, limits=limits), limits) as port, connect(port, first) as one:
        started, ended = time.monotonic(), False
        while not ended and time.monotonic() - started < 10:
            try:
                one.sendall(b"\r\n" if first == b"\r\n" else b"x")
            except ConnectionError:
                break
            ended = closed(one, 0.1)
        assert time.monotonic() - started < 5


def test_their_number_is_limited_and_the_oldest_that_asks_nothing_makes_room(folder: Path) -> None:
    limits = Limits(arrival=30.0, connections=10)
    with serving(make(folder, limits=limits), limits) as port, ExitStack() as stack:
        halves = [stack.enter_context(connect(port, HEAD)) for _ in range(15)]
        assert b"200 OK" in health(port)
        assert all(closed(one, 5) for one in halves[:5])
        assert not closed(halves[-1], 0.2)


def test_an_answer_that_nobody_takes_is_given_up() -> None:
    sent = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(400):
                await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
            sent.set()

    limits = Limits(arrival=0.5)
    with serving(app, limits) as port, connect(port, GET):
        assert sent.wait(10)  # the rest of the answer goes nowhere, and what made it is free again


def test_an_answer_that_had_begun_is_not_begun_again_when_its_time_is_over() -> None:
    started: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})

    async def scenario() -> None:
        taken = asyncio.Event()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                started.append(message["status"])
            await taken.wait()

        queue: asyncio.Queue[Any] = asyncio.Queue()
        queue.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        scope = {"type": "http", "method": "POST", "path": "/v1/search", "headers": []}
        gate = Gate(app, Limits(active=1, seconds=0.05), frozenset(), None)
        await gate(scope, queue.get, send)
        taken.set()
        await asyncio.sleep(0.01)
        assert not gate.turn.locked()

    asyncio.run(scenario())
    assert started == [200]


def test_bytes_that_are_not_http_are_answered_in_json(folder: Path) -> None:
    with serving(make(folder), Limits()) as port, connect(port, b"NOT HTTP AT ALL\r\n\r\n") as one:
        answer = b"".join(iter(lambda: one.recv(4096), b"")).decode()
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 400")
    assert "application/json" in head
    assert body.startswith('{"error"')
    assert "Invalid HTTP" in body
