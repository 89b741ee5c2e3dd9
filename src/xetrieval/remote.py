"""One JSON request to a server, asked again when that can help. Embedding servers and language models share it."""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

from .errors import EndpointError, InputError
from .extras import require

KEY_VARIABLES: Final = ("XETRIEVAL_API_KEY", "OPENAI_API_KEY")
RETRIED: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
FIRST_WAIT: Final = 0.5  # seconds; doubles with every attempt, up to LONGEST_BACKOFF
LONGEST_BACKOFF: Final = 16.0


@dataclass(frozen=True)
class Remote:
    """A server that takes and gives JSON. The key comes from the environment and is never stored or shown.

    Args:
        base_url: up to and without the path of a request, e.g. http://localhost:8000/v1.
        timeout: seconds without a byte before an attempt counts as failed.
        attempts: how often one request is sent at most.
        longest_wait: seconds; a server that asks (Retry-After) for more than this is given up.
    Raises:
        InputError: not a web address, or one with a password in it.
    """

    base_url: str
    timeout: float = 60.0
    attempts: int = 5
    longest_wait: float = 120.0

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.base_url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            usable = False
        if not usable:
            raise InputError(f"endpoint {self.base_url!r}: give it as http(s)://HOST/v1#MODEL")
        if parts.username or parts.password:
            raise InputError(
                f"endpoint at {parts.hostname}: no name or password in the address; set {KEY_VARIABLES[0]}"
            )

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The server's JSON object.

        Waits Retry-After where the server says so, else 0.5 s, doubled at every attempt, with a random part.

        Raises:
            EndpointError: refused, or of no use after all attempts; `status` says which, `refused` whether asking
                again is pointless.
        """
        httpx = require("httpx2", "encoders")
        problem, status = "no answer", 0
        for attempt in range(1, self.attempts + 1):
            wait = min(FIRST_WAIT * 2 ** (attempt - 1), LONGEST_BACKOFF) * random.uniform(0.75, 1.25)
            try:
                response = httpx.post(
                    f"{self.base_url.rstrip('/')}/{path}", json=body, headers=_headers(), timeout=self.timeout
                )
            except httpx.HTTPError as error:
                problem, status = _no_answer(error, self.timeout), 0
            else:
                status = response.status_code
                if status == 200:
                    answer = _object(response)
                    if answer is not None:
                        return answer
                    problem = "an answer that is no JSON object"
                else:
                    problem = _problem(response)
                    if status not in RETRIED:
                        break
                    asked = _retry_after(response.headers.get("Retry-After"))
                    if asked is not None and asked > self.longest_wait:
                        problem += f"; it asks to wait {asked:.0f} s"
                        break
                    wait = wait if asked is None else asked
            if attempt < self.attempts:
                time.sleep(wait)
        raise EndpointError(f"{self.base_url}: {problem}", status=status, refused=0 < status < 500 and status != 429)


def _no_answer(error: Exception, timeout: float) -> str:
    name = type(error).__name__
    if name == "ConnectError":
        return f"no server answers there ({name})"
    return f"no answer within {timeout:g} s ({name})" if "Timeout" in name else f"the connection broke ({name})"


def _headers() -> dict[str, str]:
    key = next((os.environ[name] for name in KEY_VARIABLES if os.environ.get(name)), None)
    return {"Authorization": f"Bearer {key.strip()}"} if key else {}


def _object(response: Any) -> dict[str, Any] | None:
    try:
        answer = response.json()
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _problem(response: Any) -> str:
    """The status, and what the server says of it: first words alone, never what was sent."""
    problem = f"HTTP {response.status_code}"
    if response.status_code in (401, 403):
        return f"{problem}, the key is missing or wrong; set it in {' or '.join(KEY_VARIABLES)}"
    error = (_object(response) or {}).get("error")
    said = error.get("message") if isinstance(error, dict) else error
    if not isinstance(said, str) or not said.strip():
        return problem
    for name in KEY_VARIABLES:  # some servers repeat the key
        if os.environ.get(name):
            said = said.replace(os.environ[name].strip(), "***")
    return f"{problem} ({' '.join(said.split())[:160]})"


def _retry_after(value: str | None) -> float | None:
    """Seconds, from a number or a date (RFC 9110, section 10.2.3); None where there is neither."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
