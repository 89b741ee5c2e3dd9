"""A chat server on loopback that misbehaves on purpose: real HTTP, no network."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[[dict[str, Any]], str]


class ChatServer(ThreadingHTTPServer):
    """Answers by `reply`; each mood in the queue spoils one request, first come, first spoilt.

    429:S  too many requests, Retry-After S     500, 503, 401, 404, 400  that status
    slow   nothing for a while                  cut     the connection ends in the middle
    half   truncated JSON                       schema  400 if a schema is asked for
    empty  an answer without text               odd     JSON that is no completion     list  JSON that is no object
    """

    daemon_threads = True

    def __init__(self, reply: Reply) -> None:
        self.reply, self.moods = reply, list[str]()
        self.requests: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.keys: list[str | None] = []
        self.busy = self.most_busy = 0
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""


class Handler(BaseHTTPRequestHandler):
    server: ChatServer

    def do_POST(self) -> None:  # the name http.server calls
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            server.requests.append({"path": self.path, **body})
            server.times.append(time.monotonic())
            server.keys.append(self.headers.get("Authorization"))
            mood = server.moods.pop(0) if server.moods else "ok"
            server.busy += 1
            server.most_busy = max(server.most_busy, server.busy)
        try:
            self._answer(mood, body)
        finally:
            with server.lock:
                server.busy -= 1

    def _answer(self, mood: str, body: dict[str, Any]) -> None:
        status, _, wait = mood.partition(":")
        if mood == "schema":
            mood, status = ("400", "400") if "response_format" in body else ("ok", "ok")
        if status.isdigit():
            self.send_response(int(status))
            if wait:
                self.send_header("Retry-After", wait)
            self._end(json.dumps({"error": {"message": f"mood {status} key {self.headers.get('Authorization')}"}}))
            return
        if mood == "slow":
            time.sleep(1.0)
        if mood == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"choices"')
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        text = "" if mood == "empty" else self.server.reply(body)
        usage = {"prompt_tokens": 100, "completion_tokens": 10}
        whole = json.dumps({"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": usage})
        self.send_response(200)
        self._end({"half": whole[: len(whole) // 2], "odd": '{"choices": []}', "list": "[1]"}.get(mood, whole))

    def _end(self, payload: str) -> None:
        raw = payload.encode()
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def chat_server(reply: Reply) -> Iterator[ChatServer]:
    """A running server."""
    with ChatServer(reply) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
