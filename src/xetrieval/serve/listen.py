"""How long a connection may keep others waiting: every request arrives in time, and their number is limited."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .limits import Limits


def listening(limits: Limits) -> type[asyncio.Protocol]:
    """A protocol for uvicorn's option `http`, with these limits."""
    return type("Listening", (Listening,), {"limits": limits})


class Listening(H11Protocol):
    """HTTP/1.1. A request, head and body, has `limits.arrival` seconds to arrive, and a client that takes nothing of
    its answer for as long is left. Where all places are taken, the oldest connection that asks nothing makes room.
    """

    limits = Limits()
    _due: asyncio.TimerHandle | None = None  # ends a request that does not arrive
    _stuck: asyncio.TimerHandle | None = None  # ends an answer that is not taken

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self._await_request()
        open_ = [c for c in self.connections if isinstance(c, Listening) and not c.transport.is_closing()]
        if len(open_) > self.limits.connections:
            idle = [c for c in open_ if c is not self and not c.at_work]
            min(idle, key=lambda c: c._since, default=self).transport.abort()

    @property
    def at_work(self) -> bool:
        """Whether a whole request is here, and its answer not yet out."""
        whole = self.conn.their_state not in (h11.IDLE, h11.SEND_BODY)
        return whole and self.cycle is not None and not self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Take what came; the time runs on until the request is whole."""
        super().data_received(data)
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self._await_request()
        else:
            self._due = _cancelled(self._due)

    def on_response_complete(self) -> None:
        """The time between two requests is the server's own limit (keep-alive)."""
        super().on_response_complete()
        self._since = self.loop.time()
        if self.conn.their_state is h11.IDLE:
            self._due = _cancelled(self._due)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._due, self._stuck = _cancelled(self._due), _cancelled(self._stuck)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not take what was sent."""
        super().pause_writing()
        if self._stuck is None:
            self._stuck = self.loop.call_later(self.limits.arrival, self.transport.abort)

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        self._stuck = _cancelled(self._stuck)

    def _await_request(self) -> None:
        if self._due is None and not self.transport.is_closing():
            self._due = self.loop.call_later(self.limits.arrival, self.transport.abort)


def _cancelled(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """No timer any more."""
    if timer is not None:
        timer.cancel()
    return None
