"""Limits for connections: their number, and the time in which a request must arrive."""

from __future__ import annotations

import asyncio
import json

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .limits import HEADERS, Limits


def listening(limits: Limits) -> type[asyncio.Protocol]:
    """A protocol for uvicorn's option `http`, with these limits."""
    return type("Listening", (Listening,), {"limits": limits})


class Listening(H11Protocol):
    """HTTP/1.1. A request must arrive within `limits.arrival` seconds, and a client that does not read its answer for
    that long is disconnected. If there are too many connections, the one that has been idle longest is closed.
    """

    limits = Limits()
    _due: asyncio.TimerHandle | None = None  # closes the connection if a request does not arrive
    _stuck: asyncio.TimerHandle | None = None  # closes the connection if an answer is not read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for a request."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self._await_request()
        open_ = [c for c in self.connections if isinstance(c, Listening) and not c.transport.is_closing()]
        if len(open_) > self.limits.connections:
            idle = [c for c in open_ if c is not self and not c.at_work]
            min(idle, key=lambda c: c._since, default=self).transport.abort()

    @property
    def at_work(self) -> bool:
        """Whether a request has arrived and is not yet answered."""
        whole = self.conn.their_state not in (h11.IDLE, h11.SEND_BODY)
        return whole and self.cycle is not None and not self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Receive data. The time limit stays in force until the request is complete."""
        super().data_received(data)
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self._await_request()
        else:
            self._due = _cancelled(self._due)

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are not HTTP with a JSON error, like all errors."""
        headers = [*HEADERS, (b"content-type", b"application/json"), (b"connection", b"close")]
        start = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
        for event in (start, h11.Data(data=json.dumps({"error": msg}).encode()), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def on_response_complete(self) -> None:
        """Between two requests, the server's keep-alive limit applies."""
        super().on_response_complete()
        self._since = self.loop.time()
        if self.conn.their_state is h11.IDLE:
            self._due = _cancelled(self._due)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._due, self._stuck = _cancelled(self._due), _cancelled(self._stuck)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read what was sent."""
        super().pause_writing()
        if self._stuck is None:
            self._stuck = self.loop.call_later(self.limits.arrival, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        self._stuck = _cancelled(self._stuck)

    def _await_request(self) -> None:
        if self._due is None and not self.transport.is_closing():
            self._due = self.loop.call_later(self.limits.arrival, self.transport.abort)


def _cancelled(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """Cancel a timer."""
    if timer is not None:
        timer.cancel()
    return None
