"""JSON requests to embedding servers and language models, with retries."""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import threading
import time
import weakref
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from .errors import EndpointError, InputError
from .files import parse_json

KEY_VARIABLES: Final = ("XETRIEVAL_API_KEY", "OPENAI_API_KEY")
RETRIED: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
FIRST_WAIT: Final = 0.5  # seconds; doubles with every attempt, up to LONGEST_BACKOFF
LONGEST_BACKOFF: Final = 16.0
LARGEST: Final = 8 << 20  # bytes of an uncompressed answer


@dataclass(frozen=True)
class Remote:
    """A server with a JSON API. The key comes from the environment and is never stored or shown.

    Connections are reused; several threads may send requests at once.

    Args:
        base_url: the address without the path of a request, e.g. http://localhost:8000/v1.
        timeout: seconds for one attempt, from connecting to the last byte of the answer.
        attempts: how many times a request is sent at most.
        longest_wait: seconds; if a server's Retry-After asks for a longer wait, the request fails.
    Raises:
        InputError: not a web address, or one with a password in it.
    """

    base_url: str
    timeout: float = 60.0
    attempts: int = 5
    longest_wait: float = 120.0
    _pool: _Pool = field(default_factory=lambda: _Pool(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.base_url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            usable = False
        if not usable:
            raise InputError(f"endpoint {self.base_url!r}: give it as http(s)://HOST/v1#MODEL")
        if parts.username or parts.password:
            raise InputError(
                f"endpoint at {parts.hostname}: no name or password in the address; set {KEY_VARIABLES[0]}"
            )

    def post(self, path: str, body: dict[str, Any], largest: int = LARGEST) -> dict[str, Any]:
        """The server's JSON object.

        Between attempts it waits for the time in Retry-After, or else 0.5 s, doubled each time, plus or minus a random
        part. An answer that started but exceeded the size or time limit is not requested again, as it would be charged
        twice.

        Args:
            largest: the size limit of the uncompressed answer, in bytes.
        Raises:
            EndpointError: refused, or no usable answer after all attempts. `status` is the HTTP status; `refused` is
                true if another attempt is pointless.
        """
        import httpx2

        problem, status = "no answer", 0
        for attempt in range(1, self.attempts + 1):
            wait = min(FIRST_WAIT * 2 ** (attempt - 1), LONGEST_BACKOFF) * random.uniform(0.75, 1.25)
            try:
                reply = self._pool.post(f"{self.base_url.rstrip('/')}/{path}", body, self.timeout, largest)
            except httpx2.HTTPError as error:
                problem, status = _no_answer(error, self.timeout), 0
            except httpx2.InvalidURL as error:
                raise InputError(f"endpoint {self.base_url!r}: not a web address ({error})") from error
            else:
                status = reply.status
                if status == 200 and reply.cut:
                    large = len(reply.content) > largest
                    raise EndpointError(f"{self.base_url}: {reply.cut}", status=status, refused=True, too_large=large)
                answer, reason = _object(reply.content)
                if status == 200:
                    if answer is not None:
                        return answer
                    problem = f"the answer is not a JSON object ({reason})"
                else:
                    problem = _problem(status, answer)
                    if status not in RETRIED:
                        break
                    asked = _retry_after(reply.retry_after)
                    if asked is not None and asked > self.longest_wait:
                        problem += f"; it asks to wait {asked:.0f} s"
                        break
                    wait = asked or wait  # never retry without a pause, even if Retry-After is in the past
            if attempt < self.attempts:
                time.sleep(wait)
        raise EndpointError(f"{self.base_url}: {problem}", status=status, refused=0 < status < 500 and status != 429)


class _Reply(NamedTuple):
    status: int
    content: bytes
    retry_after: str | None
    cut: str | None  # why the answer was not read to the end


class _Pool:
    """A pool of connections on its own event loop, where a time limit can stop a request at any point."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: tuple[int, asyncio.AbstractEventLoop, Any] | None = None  # process, loop, client

    def __reduce__(self) -> tuple[type[_Pool], tuple[()]]:
        return _Pool, ()  # each process opens its own

    def post(self, url: str, body: dict[str, Any], seconds: float, largest: int) -> _Reply:
        """One attempt, in at most `seconds`."""
        loop, client = self._client()
        future = asyncio.run_coroutine_threadsafe(_post(client, url, body, seconds, largest), loop)
        try:
            return future.result()
        finally:
            future.cancel()  # if this thread was interrupted

    def _client(self) -> tuple[asyncio.AbstractEventLoop, Any]:
        import httpx2

        with self._lock:
            if self._running is None or self._running[0] != os.getpid():  # after a fork, the loop's thread is missing
                limits = httpx2.Limits(max_connections=None, max_keepalive_connections=64)
                client, loop = httpx2.AsyncClient(limits=limits, timeout=None), asyncio.new_event_loop()
                thread = threading.Thread(target=loop.run_forever, name="xetrieval-remote", daemon=True)
                thread.start()
                weakref.finalize(self, _close, os.getpid(), loop, client, thread)
                self._running = os.getpid(), loop, client
            return self._running[1:]


def _close(process: int, loop: asyncio.AbstractEventLoop, client: Any, thread: threading.Thread) -> None:
    if process != os.getpid():
        return

    async def end() -> None:
        await client.aclose()
        await loop.shutdown_default_executor()
        loop.stop()

    asyncio.run_coroutine_threadsafe(end(), loop)
    if threading.current_thread() is not thread:
        thread.join(timeout=5)
        if not thread.is_alive():
            loop.close()


async def _post(client: Any, url: str, body: dict[str, Any], seconds: float, largest: int) -> _Reply:
    status, retry_after, parts, size = 0, None, list[bytes](), 0
    content = json.dumps(body).encode()
    headers = {**_headers(), "Content-Type": "application/json", "Accept-Encoding": "gzip, deflate"}
    try:
        async with asyncio.timeout(seconds), client.stream("POST", url, content=content, headers=headers) as response:
            status, retry_after = response.status_code, response.headers.get("Retry-After")
            async for part in response.aiter_bytes():
                parts.append(part)
                size += len(part)
                if size > largest:
                    cut = f"its answer is larger than {largest >> 20} MB"
                    return _Reply(status, b"".join(parts), retry_after, cut)
    except TimeoutError as error:
        if status == 0:
            import httpx2

            raise httpx2.ReadTimeout("no answer in time") from error
        return _Reply(status, b"", retry_after, f"its answer was not complete after {seconds:g} s")
    return _Reply(status, b"".join(parts), retry_after, None)


def _no_answer(error: Exception, timeout: float) -> str:
    name = type(error).__name__
    if name == "ConnectError":
        return f"no server answers there ({name})"
    return f"no answer within {timeout:g} s ({name})" if "Timeout" in name else f"the connection broke ({name})"


def _headers() -> dict[str, str]:
    key = next((os.environ[name] for name in KEY_VARIABLES if os.environ.get(name)), None)
    return {"Authorization": f"Bearer {key.strip()}"} if key else {}


def _object(content: bytes) -> tuple[dict[str, Any] | None, str]:
    """The JSON object, or None and the reason."""
    try:
        answer = parse_json(content, nan="lenient")
    except InputError as error:
        return None, str(error)
    return (answer, "") if isinstance(answer, dict) else (None, f"but {type(answer).__name__}")


def _problem(status: int, answer: dict[str, Any] | None) -> str:
    """The status and the beginning of the server's message, never the request itself."""
    problem = f"HTTP {status}"
    if status in (401, 403):
        return f"{problem}, the key is missing or wrong; set it in {' or '.join(KEY_VARIABLES)}"
    message = said_wrong(answer)
    return f"{problem} ({message})" if message else problem


def said_wrong(answer: dict[str, Any] | None) -> str:
    """The server's error message, at most 160 characters; empty if there is none."""
    error = (answer or {}).get("error")
    message = error.get("message") if isinstance(error, dict) else error
    if not isinstance(message, str) or not message.strip():
        return ""
    for name in KEY_VARIABLES:  # some servers repeat the key
        if os.environ.get(name):
            message = message.replace(os.environ[name].strip(), "***")
    return " ".join(message.split())[:160]


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait, given as a number or a date (RFC 9110, section 10.2.3); None if neither."""
    if value is None:
        return None
    try:
        seconds = float(value)
        return None if math.isnan(seconds) else max(0.0, seconds)
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
