"""The limits of a server: request sizes, concurrency, allowed hosts, the token, and security headers."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time
from dataclasses import dataclass
from html import escape
from typing import Final
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlencode

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .address import Place, asked_host, check_token, place_of, welcome

LOG: Final = logging.getLogger("xetrieval.serve")
BODY: Final = "xetrieval.body"  # the key of a request's body in its scope
COOKIE: Final = "xetrieval_token"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
MCP: Final = "/mcp"  # the path of a server of the Model Context Protocol
LASTING: Final = b"private, max-age=31536000, immutable"  # for files whose names change with their content


@dataclass(frozen=True)
class Limits:
    """The limits of one server."""

    body: int = 1 << 20  # bytes
    active: int = 4  # requests processed at once
    waiting: int = 32  # requests that may wait for a slot
    patience: float = 10.0  # seconds that a request may wait
    seconds: float = 60.0  # time limit of a request; its slot is freed when its work has ended
    arrival: float = 30.0  # seconds in which a request, headers and body, must arrive
    connections: int = 200  # the most connections open at once; see `listen`


class Gate:
    """Wraps the application: checks host, token and size, limits concurrency, adds security headers, logs each request.

    Args:
        hosts: the host names that requests may use. Others are refused, so that a page from another site cannot reach a
        local server under its own name. Empty: any.
        token: what every request must send, in an Authorization header or in the cookie that ?token=... sets.
        prefix: the prefix of all paths, /NAME, whether or not a proxy removes it.
    Raises:
        InputError: an empty token, or one that does not fit in a cookie.
    """

    def __init__(
        self, app: ASGIApp, limits: Limits, hosts: frozenset[str], token: str | None, prefix: str = ""
    ) -> None:
        check_token(token)
        self.app, self.limits, self.hosts, self.token, self.prefix = app, limits, hosts, token, prefix
        self.turn = asyncio.Semaphore(limits.active)
        self.waiting = 0
        self.late: set[asyncio.Task[None]] = set()  # work that continues after its request has timed out

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        place, head = place_of(scope["path"], scope.get("root_path", ""), self.prefix), scope["method"] == "HEAD"

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                kept = [(k, v) for k, v in message["headers"] if k.lower() != b"server"]
                message = {**message, "headers": [*kept, *HEADERS, (b"cache-control", _kept(place.path, status))]}
            elif head:
                message = {**message, "body": b""}
            await send(message)

        try:  # HEAD is answered like GET without the body
            asked = {**scope, "root_path": place.root, "path": place.root + place.path}
            await self._answer({**asked, "method": "GET"} if head else asked, place, receive, guarded)
        except ClientLeft:
            status = 499
        finally:
            facts = {
                "method": scope["method"],
                "path": scope["path"],  # without the query string
                "status": status,
                "ms": round(1000 * (time.perf_counter() - started), 1),
            }
            LOG.info(json.dumps(facts))

    async def _answer(self, scope: Scope, place: Place, receive: Receive, send: Send) -> None:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if not welcome(asked_host(headers.get(b"host", "")), self.hosts):
            await refuse(send, 421, "this server does not accept that host name")
            return
        query = scope.get("query_string", b"").decode("latin-1")
        if scope["method"] == "GET" and self._is_token(parse_qs(query).get("token", [""])[0]):
            cookie = f"{COOKIE}={self.token}; HttpOnly; SameSite=Strict; Path={place.root}/"
            rest = urlencode([pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "token"])
            if not place.path:
                target = _below(scope, rest)
            else:  # the page keeps its address; other addresses lead to it
                target = place.up + (f"?{rest}" if rest and place.path == "/" else "")
            await refuse(send, 303, "", ((b"location", target.encode()), (b"set-cookie", cookie.encode("latin-1"))))
            return
        if self.token is not None and not self._is_token(_sent_token(headers)):
            if "text/html" in headers.get(b"accept", "") and place.path in ("", "/"):
                await _send_form(send, query)
                return
            page = f"{place.root}/?token=TOKEN"
            await refuse(send, 401, f"a token is needed: open {page}, or send Authorization: Bearer TOKEN")
            return
        if not place.path:  # /why: the page's own files are below /why/
            await refuse(send, 307, "", ((b"location", _below(scope, query).encode("latin-1")),))
            return
        if place.path != MCP and (not place.path.startswith("/v1/") or place.path == "/v1/health"):
            await self.app(scope, receive, send)
            return
        body = await self._body(headers, receive, send)
        if body is not None:
            await self._in_turn({**scope, BODY: body}, body, receive, send)

    def _is_token(self, given: str) -> bool:
        return self.token is not None and hmac.compare_digest(given.encode(), self.token.encode())

    async def _body(self, headers: dict[bytes, str], receive: Receive, send: Send) -> bytes | None:
        """The complete body; None if it was refused."""
        promised = headers.get(b"content-length", "0")
        size, body, more = int(promised) if promised.isdigit() else 0, b"", True
        try:
            async with asyncio.timeout(self.limits.arrival):
                while more and size <= self.limits.body:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientLeft
                    body += message.get("body", b"")
                    size, more = max(size, len(body)), message.get("more_body", False)
        except TimeoutError:
            closing = ((b"connection", b"close"),)
            await refuse(send, 408, f"the request did not arrive within {self.limits.arrival:g} seconds", closing)
            return None
        if size > self.limits.body:
            await refuse(send, 413, f"the request is larger than {self.limits.body >> 10} kB")
            return None
        return body

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
        """Answer, or report a timeout. Threads cannot be stopped, so the slot is freed when the work ends."""
        late = begun = False

        async def in_time(message: Message) -> None:
            nonlocal begun
            if not late:
                begun = True
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
        if begun:
            raise ClientLeft  # the client does not read the answer
        await refuse(send, 503, f"the request takes longer than {self.limits.seconds:g} seconds; ask for less at once")

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.late.discard(task)
        if not task.cancelled() and task.exception() is not None:
            LOG.error(json.dumps({"error": type(task.exception()).__name__, "late": True}))

    async def _turn(self, left: asyncio.Task[None], send: Send) -> bool:
        """Wait for a slot, if necessary; refuse at once if too many requests are waiting.

        A client that disconnects while waiting takes no slot.
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


class ClientLeft(Exception):  # noqa: N818  # not an error
    """The client has disconnected."""


def _replay(body: bytes, left: asyncio.Task[None]) -> Receive:
    """Receive the body that was already read, then nothing until the client disconnects."""
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


def asked_words(scope: Scope) -> str:
    """The text of a request: its address and its body."""
    address = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    body = scope.get(BODY, b"").decode("utf-8", "replace").replace("\\/", "/")
    return "\n".join([unquote(scope["path"]), *(word for pair in address for word in pair), body])


def _sent_token(headers: dict[bytes, str]) -> str:
    """The token of the Authorization header, else that of the cookie."""
    cookies = (part.strip().partition("=") for part in headers.get(b"cookie", "").split(";"))
    kept = next((value for name, _, value in cookies if name == COOKIE), "")
    scheme, _, sent = headers.get(b"authorization", "").partition(" ")
    return (sent.strip() if scheme.lower() == "bearer" else "") or kept


def _below(scope: Scope, query: str) -> str:
    """The relative address that leads from /why to /why/, whatever prefix a proxy adds."""
    name = quote(scope["path"].rsplit("/", 1)[-1])
    return f"{name}/" + (f"?{query}" if query else "")


def _kept(path: str, status: int) -> bytes:
    """The cache-control header of an answer."""
    if path.startswith("/v1/"):
        return b"no-store"
    return LASTING if path.startswith("/assets/") and status in (200, 304) else b"no-cache"


async def _send_form(send: Send, query: str) -> None:
    """Ask a browser for the token; the form keeps the rest of the address."""
    kept = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "token"]
    hidden = "".join(f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in kept)
    wrong = (
        "<p>That token is not the server's.</p>" if len(kept) < len(parse_qsl(query, keep_blank_values=True)) else ""
    )
    body = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Xetrieval</title>'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
        f"<h1>Xetrieval</h1>{wrong}<form>{hidden}<p><label>This server asks for a token. It was printed when the "
        'server started.<br><input name="token" type="password" autofocus></label> <button>open</button></form></html>'
    ).encode()
    start = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 401, "headers": start})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, status: int, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    """Send an error as one line of JSON."""
    body = json.dumps({"error": message}).encode() if message else b""
    start = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
