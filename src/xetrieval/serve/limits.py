"""What a server lets in: sizes, how many at once, from where, and what its answers tell a browser."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOG: Final = logging.getLogger("xetrieval.serve")
COOKIE: Final = "xetrieval_token"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


@dataclass(frozen=True)
class Limits:
    """Of one server."""

    body: int = 1 << 20  # bytes
    query: int = 10_000  # characters
    document: int = 200_000  # characters of a text that is explained
    hits: int = 100
    active: int = 4  # requests worked on at once
    waiting: int = 32  # requests that may wait for their turn
    patience: float = 10.0  # seconds that one waits at most
    seconds: float = 60.0  # that one may take; its place is free again when it has really ended


class Gate:
    """Around the application: who may ask, how much, how many at once; security headers; one log line a request.

    Args:
        hosts: names that requests may be addressed to; others are refused, so that no foreign page can reach a server
            on this machine under a name of its own. Empty: any.
        token: what every request must carry, in an Authorization header or in the cookie that ?token=... sets.
    """

    def __init__(self, app: App, limits: Limits, hosts: frozenset[str], token: str | None) -> None:
        self.app, self.limits, self.hosts, self.token = app, limits, hosts, token
        self.turn = asyncio.Semaphore(limits.active)
        self.waiting = 0
        self.late: set[asyncio.Task[None]] = set()  # work that nobody waits for any more, kept until it ends

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                kept = [(k, v) for k, v in message["headers"] if k.lower() != b"server"]
                message = {**message, "headers": [*kept, *HEADERS]}
            await send(message)

        try:
            await self._answer(scope, receive, guarded)
        except ClientLeft:
            status = 499
        finally:
            facts = {
                "method": scope["method"],
                "path": scope["path"],  # without what was asked
                "status": status,
                "ms": round(1000 * (time.perf_counter() - started), 1),
            }
            LOG.info(json.dumps(facts))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "").rsplit(":", 1)[0].strip("[]") if b"host" in headers else ""
        if self.hosts and host not in self.hosts:
            await refuse(send, 421, "this server is not addressed by that name")
            return
        if self.token is not None and not self._allowed(scope, headers):
            asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
            if scope["method"] == "GET" and asked and hmac.compare_digest(asked.encode(), self.token.encode()):
                cookie = f"{COOKIE}={self.token}; HttpOnly; SameSite=Strict; Path=/"
                await refuse(send, 303, "", ((b"location", b"/"), (b"set-cookie", cookie.encode("latin-1"))))
                return
            await refuse(send, 401, "a token is needed: open /?token=TOKEN, or send Authorization: Bearer TOKEN")
            return
        if not scope["path"].startswith("/v1/") or scope["path"] == "/v1/health":
            await self.app(scope, receive, send)
            return
        body = await self._body(scope, headers, receive, send)
        if body is not None:
            await self._in_turn(scope, body, receive, send)

    def _allowed(self, scope: Scope, headers: dict[bytes, str]) -> bool:
        assert self.token is not None
        given = headers.get(b"authorization", "").removeprefix("Bearer ")
        for part in headers.get(b"cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE and not given:
                given = value
        return hmac.compare_digest(given.encode(), self.token.encode())

    async def _body(self, scope: Scope, headers: dict[bytes, str], receive: Receive, send: Send) -> bytes | None:
        """The whole body, or None where it was refused."""
        length = headers.get(b"content-length", "0")
        if length.isdigit() and int(length) > self.limits.body:
            await refuse(send, 413, f"the request is larger than {self.limits.body >> 10} kB")
            return None
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            more = message.get("more_body", False)
            if size > self.limits.body:
                await refuse(send, 413, f"the request is larger than {self.limits.body >> 10} kB")
                return None
        return b"".join(parts)

    async def _in_turn(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        left = asyncio.create_task(_until_left(receive))
        try:
            if not await self._turn(left, send):
                return
            if left.done():
                self.turn.release()
                raise ClientLeft
            await self._work(scope, body, left, send)
        finally:
            left.cancel()

    async def _work(self, scope: Scope, body: bytes, left: asyncio.Task[None], send: Send) -> None:
        """Answer, or say that it took too long. A thread cannot be stopped: the place is free when the work ends."""
        late = False

        async def in_time(message: Message) -> None:
            if not late:
                await send(message)

        async def work() -> None:
            try:
                await self.app(scope, _replay(body, left), in_time)
            finally:
                self.turn.release()

        task = asyncio.create_task(work())
        done, _ = await asyncio.wait({task}, timeout=self.limits.seconds)
        if done:
            task.result()
            return
        late = True
        self.late.add(task)
        task.add_done_callback(self._ended)
        await refuse(send, 503, f"that takes longer than {self.limits.seconds:g} seconds; ask for less at once")

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.late.discard(task)
        if not task.cancelled() and task.exception() is not None:
            LOG.error(json.dumps({"error": type(task.exception()).__name__, "late": True}))

    async def _turn(self, left: asyncio.Task[None], send: Send) -> bool:
        """Take a place, if need be after some waiting; refused at once where too many wait already.

        A client that leaves while it waits takes none.
        """
        if not self.turn.locked():
            await self.turn.acquire()
            return True
        if self.waiting >= self.limits.waiting:
            await refuse(send, 503, "too many requests at once; try again soon", ((b"retry-after", b"1"),))
            return False
        turn = asyncio.create_task(self.turn.acquire())
        self.waiting += 1
        try:
            await asyncio.wait({left, turn}, timeout=self.limits.patience, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.waiting -= 1
        if turn.done():
            return True
        turn.cancel()
        if left.done():
            raise ClientLeft
        await refuse(send, 503, "the server is busy; try again soon", ((b"retry-after", b"2"),))
        return False


class ClientLeft(Exception):  # noqa: N818  # nothing went wrong
    """Nobody waits for the answer any more."""


def _replay(body: bytes, left: asyncio.Task[None]) -> Receive:
    """The body that was read already, then silence until the client leaves."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if waiting:
            return waiting.pop()
        await left
        return {"type": "http.disconnect"}

    return receive


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def refuse(send: Send, status: int, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    """One line of JSON."""
    body = json.dumps({"error": message}).encode() if message else b""
    start = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
