"""Requests that a server should never see, in-process and as raw bytes; see frame.py

Every field of every route with every odd value, missing and too many fields, odd addresses, hosts, headers, methods and
paths, below a prefix too; then malformed HTTP over a socket. An answer passes if its status is below 500, its JSON is
strict (no NaN), one line says what was wrong, and it contains neither a trace nor a path of the machine.
"""

from __future__ import annotations

import json
import math
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.testclient import TestClient

from paper.kit.training import explaining_sae
from paper.studies.robustness.frame import counted
from xetrieval.fitting import FitConfig, fit
from xetrieval.index import Corpus, build_index, open_index
from xetrieval.serve.app import create_app
from xetrieval.serve.limits import Limits
from xetrieval.serve.listen import listening

DIGITS = "9" * 5000
RAW = (  # JSON values as they are written
    "null", "true", "0", "-1", "-0.0", "1.5", "1e308", "-1e308", "1e999", "NaN", "-Infinity", DIGITS, f"-{DIGITS}",
    f"0.{DIGITS}", '""', '" "', '"x"', '"\\u0000"', '"\\ud83d"', '"\\u001b[31m"', '"\\u202e"', '"NaN"', '"-1"',
    '"1e999"', f'"{DIGITS}"', f'"#{DIGITS}"', '"../../etc/passwd"', '"/etc/passwd"', '"<script>"', "'", "[]",
    f'"{"x" * 300_000}"',
    "[null]", "[[]]", '["d1", 1, null]', '["d1", "d1"]', f'[{",".join(["1"] * 2000)}]', "{}", '{"": 1}', '{"3": NaN}',
    '{"3": 1e999}', '{"-1": 1}', '{"999999": 1}', '{"x": {"<": NaN}}', '{"n": {"<": 1e999}}', '{"n": {"$gt": 1}}',
    '{"n": [[1]]}', f'{{"{DIGITS}": 1}}', f'{{"n": {DIGITS}}}', "[" * 3000 + "]" * 3000,
    '{"a":' * 3000 + "1" + "}" * 3000,
)  # fmt: skip
ODD = (
    "",
    " ",
    "-1",
    "1.5",
    "NaN",
    "1e3",
    DIGITS,
    "\x00",
    "\ud7ff",
    "%ff",
    "../..",
    "x" * 5000,
    "<script>",
    "0x10",
    "٣",
)
QUERIES = (
    ("features", "search"), ("features", "family"), ("features", "offset"), ("features", "limit"),
    ("features/3", "index"), ("documents", "id"), ("report", "index"), ("health", "x"),
)  # fmt: skip
TYPES = ("", "text/plain", "application/xml", "application/json; charset=utf-16", "multipart/form-data", "a/b" * 500)
PATHS = (
    "//v1/health", "/v1", "/v1/", "/v1//health", "/v1/health/", "/V1/health", "/v1/features/", "/v1/features/-1",
    f"/v1/features/{DIGITS}", "/v1/features/1e3", "/v1/features/1/2", "/..", "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/assets/../../app.py", "/assets/%2e%2e/%2e%2e/app.py", "/assets/%00", "/%00", "/%ff", "/assets", "/assets/",
    "/\\..\\",
    "/index.html/", "/icon.svg/x", "/v1/openapi.json/x", "/why", "/why/why/", "/.env",
    "/" + "x" * 5000, "/" + "a/" * 2000,
)  # fmt: skip
HOSTS = (
    "", "localhost", "LOCALHOST.", "evil.example.org", "localhost:99999999", "localhost:x", "[::1", "::1", "[::1]:1:2",
    "a b",
    "127.0.0.1.evil.org", "localhost@evil.org", "\xff", "x" * 3000, "0", "2130706433", "%6c", "localhost,evil.org",
)  # fmt: skip
BODIES = (
    ("search", {"vector": [0.5] * 64, "k": 2}),
    ("search", {"vector": [1e39] * 64, "k": 2}),
    ("why", {"vector": [0.5] * 64, "doc_id": "d1"}),
    ("search", {"query": "word1", "k": 2, "by": "dense", "filters": {}, "factors": {}, "weights": {}, "explain": True,
               "top": 2, "overview": False, "good": [], "bad": [], "index": "toy"}),
    ("find", {"wanted": "word1", "k": 2, "index": "toy"}),
    ("explain", {"query": "word1", "doc_id": "d1", "factors": {}, "evidence": False, "top": 2, "index": "toy"}),
    ("contrast", {"query": "word1", "doc_id": "d1", "over": "d2", "evidence": False, "top": 2, "index": "toy"}),
    ("why", {"query": "word1", "doc_id": "d1", "k": 2, "counterfactual": True, "top": 2, "index": "toy"}),
    ("steering/apply", {"query": "word1", "factors": {"3": 0}, "k": 2, "index": "toy"}),
    ("steering/suggest", {"query": "word1", "good": ["d1"], "bad": ["d2"], "features": 2, "index": "toy"}),
    ("steering/profiles", {"name": "a", "factors": {"3": 0}, "note": "", "index": "toy"}),
    ("report.html", {"query": "word1", "doc_id": "d1", "top": 2, "index": "toy"}),
)  # fmt: skip
MALFORMED = (
    b"\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00", b"\x00" * 1000,
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
    b"GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET http://evil.org/ HTTP/1.1\r\nHost: localhost\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4000000\r\n\r\n",
)  # fmt: skip


Failed = list[tuple[str, str]]  # kind, what failed
RAW_HTTP = "malformed HTTP"


class Asked(NamedTuple):
    """One request."""

    kind: str
    method: str
    address: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)


def requests() -> Iterator[Asked]:
    """All of them; the same each time."""
    for route, body in BODIES:
        yield Asked("plain", "POST", f"/v1/{route}", json.dumps(body).encode())
        for field in body:
            others = {name: json.dumps(value) for name, value in body.items() if name != field}
            for raw in (None, *RAW):
                fields = others if raw is None else {**others, field: raw}
                text = "{" + ", ".join(f'"{name}": {value}' for name, value in fields.items()) + "}"
                yield Asked("values of fields", "POST", f"/v1/{route}", text.encode())
        for raw in RAW:
            yield Asked("bodies", "POST", f"/v1/{route}", raw.encode())
        for raw_bytes in (b"", b"{", b"\xff\xfe{", b"\xef\xbb\xbf{}", b'{"query": "\xff"}', b"x" * 2_000_000):
            yield Asked("bodies", "POST", f"/v1/{route}", raw_bytes)
        for kind in TYPES:
            yield Asked("headers", "POST", f"/v1/{route}", json.dumps(body).encode(), (("Content-Type", kind),))
        for method in ("GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "FOO"):
            yield Asked("methods", method, f"/v1/{route}")
    for route, name in QUERIES:
        for value in ODD:
            yield Asked("addresses", "GET", f"/v1/{route}?{name}={quote(value)}")
        yield Asked("addresses", "GET", f"/v1/{route}?{name}=%ff%00")
    for path in PATHS:
        for method in ("GET", "HEAD", "POST"):
            yield Asked("paths", method, path)
    for host in HOSTS:
        yield Asked("hosts", "GET", "/v1/health", b"", (("Host", host),))
    for value in ("Bearer", "Bearer \xff", "Basic x", "x" * 5000, "Bearer a token; b"):
        yield Asked("tokens", "GET", "/v1/health", b"", (("Authorization", value),))
        yield Asked("tokens", "GET", "/v1/health", b"", (("Cookie", f"xetrieval_token={value}"),))
        yield Asked("tokens", "GET", "/?token=%ff" + value[:9])


def wrong(answer: Any, secrets: tuple[str, ...]) -> str | None:
    """What is wrong with an answer, or None."""
    if answer.status_code >= 500:
        return f"status {answer.status_code}"
    text = answer.text
    if "Traceback (most" in text or any(secret in text for secret in secrets):
        return "a trace or a path of the machine"
    if "json" in answer.headers.get("content-type", "") and text:
        try:
            value = json.loads(text, parse_constant=lambda name: math.nan)
        except ValueError:
            return "not JSON"
        if not _finite(value):
            return "NaN"
        if answer.status_code >= 400 and (set(value) != {"error"} or "\n" in value["error"] or len(text) > 2000):
            return "not one line"
    return None


def _finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(_finite(one) for one in value.values())
    return all(_finite(one) for one in value) if isinstance(value, list) else True


def in_process(folder: Path, profiles: Path) -> tuple[dict[str, int], Failed]:
    """The number of requests of each kind, and those that failed."""
    tried: dict[str, int] = {}
    failed: Failed = []
    index, limits = open_index(folder), Limits(body=1 << 20)
    plain = create_app({"toy": index}, index.explainer, limits, profiles=profiles)
    tokened = create_app({"toy": index}, index.explainer, limits, token="a token", profiles=profiles)
    below = create_app({"toy": index}, index.explainer, limits, profiles=profiles, root_path="/why")
    outer = Starlette()
    outer.mount("/why", create_app({"toy": index}, index.explainer, limits, profiles=profiles))
    clients = [
        (TestClient(app, "http://localhost", raise_server_exceptions=False, follow_redirects=False), prefix)
        for app, prefix in ((plain, ""), (tokened, ""), (below, "/why"), (below, ""), (outer, "/why"))
    ]
    for number, asked in enumerate(requests()):
        chosen = clients if asked.kind not in ("values of fields", "bodies") else [clients[0]]
        for client, prefix in chosen:
            headers = [(name, value.encode("latin-1", "replace")) for name, value in asked.headers]
            try:
                answer = client.request(asked.method, prefix + asked.address, content=asked.body, headers=headers)
            except (ValueError, httpx2.InvalidURL):  # the client itself cannot send it
                continue
            tried[asked.kind] = tried.get(asked.kind, 0) + 1
            problem = wrong(answer, (str(folder), str(Path(__file__).parent)))
            if problem is not None:
                failed.append(
                    (asked.kind, f"{number} {asked.method} {asked.address[:60]} {asked.body[:160]!r}: {problem}")
                )
    return tried, failed


def over_a_socket(folder: Path, seconds: float = 1.0) -> tuple[dict[str, int], Failed]:
    """Malformed HTTP: refused or closed in time, and a good request is answered afterwards."""
    index, limits = open_index(folder), Limits(arrival=seconds)
    failed: Failed = []
    config = uvicorn.Config(
        create_app({"toy": index}, index.explainer, limits),
        port=0,
        http=listening(limits),
        ws="none",
        log_level="critical",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    good = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    try:
        for sent in MALFORMED:
            answer = _exchange(port, sent, seconds + 9)
            if answer is None or answer.startswith(b"HTTP/1.1 5"):
                failed.append((RAW_HTTP, f"{sent[:80]!r}: {'left open' if answer is None else answer[:40]!r}"))
        if b"200 OK" not in (_exchange(port, good, 10) or b""):
            failed.append((RAW_HTTP, "no answer afterwards"))
    finally:
        server.should_exit = True
        thread.join()
    return {RAW_HTTP: len(MALFORMED)}, failed


def _exchange(port: int, sent: bytes, seconds: float) -> bytes | None:
    """What the server answers until it closes; None where it does not close in time."""
    end, parts = time.monotonic() + seconds, []
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as one:
        try:
            one.sendall(sent)
            while (left := end - time.monotonic()) > 0:
                one.settimeout(left)
                part = one.recv(65536)
                if not part:
                    return b"".join(parts)
                parts.append(part)
                if b"\r\n\r\n" in part and b"close" not in part.lower():
                    return b"".join(parts)  # answered, and kept for the next request
        except TimeoutError:
            return None
        except ConnectionError:
            return b"".join(parts)
    return None


def toy(home: Path) -> Path:
    """A small index of its own explainer."""
    texts = [{"_id": f"d{i}", "text": " ".join(f"word{(i * j) % 23}" for j in range(1, 9)), "n": i} for i in range(60)]
    corpus = home / "corpus.jsonl"
    corpus.write_text("".join(json.dumps(one) + "\n" for one in texts))
    config = FitConfig(sentences_per_document=0, sae=explaining_sae(32, 4), cache=home / "cache")
    explainer = fit([corpus], "hashing", [], home / "explainer", config)
    build_index(Corpus((corpus,)), explainer, home / "toy")
    return home / "toy"


def tried(home: Path) -> dict[str, object]:
    """Everything, counted as the table of docs/robustness.md has it."""
    folder = toy(home)
    inside, failed = in_process(folder, home / "profiles")
    outside, more = over_a_socket(folder)
    return counted("HTTP requests", {**inside, **outside}, failed + more)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        tried(Path(name))
