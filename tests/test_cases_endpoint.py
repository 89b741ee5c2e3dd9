"""Servers that answer badly, of embeddings and of language: placed rightly, refused in words, within their limits."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases_data import CASES, Done, accepted, refused, run

from xetrieval import remote
from xetrieval.encoders import open_encoder
from xetrieval.encoders.endpoint import EndpointEncoder
from xetrieval.errors import EndpointError
from xetrieval.llm import CachedChat, Message, OpenAIChat, Request
from xetrieval.remote import Remote

TEXTS = ["how does bread rise", "yeast makes bread rise", "check the pressure of tyres"]
Start = Callable[[str], str]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Start]:
    """Starts cases/make/endpoint.py in a mode; gives its address."""
    started: dict[str, tuple[subprocess.Popen[str], str]] = {}

    def start(mode: str) -> str:
        if mode not in started:
            call = [sys.executable, str(CASES / "make" / "endpoint.py"), mode]
            process = subprocess.Popen(call, stdout=subprocess.PIPE, text=True)
            assert process.stdout is not None
            started[mode] = process, process.stdout.readline().strip()
        return started[mode][1]

    yield start
    for process, _ in started.values():
        process.terminate()
        process.wait(timeout=20)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.01)
    monkeypatch.setenv("XETRIEVAL_CACHE", str(tmp_path / "cache"))


def ask(text: str = "hello") -> Request:
    return Request((Message("user", text),), 20)


# ------------------------------------------------------------------ embeddings


def test_vectors_are_placed_by_their_index(endpoint: Start) -> None:
    plain, shuffled = (open_encoder(endpoint(mode)).encode_document(TEXTS) for mode in ("ok", "shuffled"))
    assert np.array_equal(plain, shuffled)
    assert len({row.tobytes() for row in plain}) == 3


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("missing", "2 embeddings for 3 texts"),
        ("extra", "4 embeddings for 3 texts"),
        ("sameindex", "the indexes of its embeddings are not 0 to 2"),
        ("null", "embedding 0 is not a list of finite numbers"),
        ("nan", "embedding 0 is not a list of finite numbers"),
        ("ragged", "is not a list of finite numbers as long as the others"),
        ("html", "not a JSON object"),
        ("error200", "model is loading"),
        ("deep", "nested too deeply"),
    ],
)
def test_vectors_that_are_none_are_refused_in_one_sentence(endpoint: Start, mode: str, words: str) -> None:
    with pytest.raises(EndpointError, match=words) as caught:
        open_encoder(endpoint(mode)).encode_document(TEXTS)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_vectors_that_change_their_length_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter([4, 4, 5])

    def answer(*_: Any, **__: Any) -> Any:
        return {"data": [{"index": 0, "embedding": [1.0] * next(sizes)}]}

    monkeypatch.setattr(Remote, "post", answer)
    with pytest.raises(EndpointError, match="4 numbers, then 5"):
        EndpointEncoder("http://127.0.0.1:9/v1", "m", batch_size=1).encode_document(TEXTS)


# ------------------------------------------------------------------ language models


def teach(endpoint: Start, mode: str, folder: Path) -> Done:
    call = ["teach", str(CASES / "corpus" / "ok.jsonl"), "--aspects", "summary", "--timeout", "1.5"]
    return run(*call, "--llm", endpoint(mode), "--output", str(folder / "out.jsonl"))


def written(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]


def peak() -> float:
    """The most memory that this process ever had, in MB."""
    resource = pytest.importorskip("resource")
    most: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1024


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["bomb", "endless"])
def test_an_answer_without_end_stops_at_a_limit_and_the_others_go_on(
    endpoint: Start, mode: str, tmp_path: Path
) -> None:
    endpoint(mode)
    before = peak()
    done = teach(endpoint, mode, tmp_path)
    assert peak() - before < 300
    assert "Traceback" not in done.stderr
    records = written(tmp_path)  # every document was asked for
    assert [set(record["failed"]) for record in records] == [{"summary"}] * len(records)
    assert len(records) == len((CASES / "corpus" / "ok.jsonl").read_text().splitlines())
    assert all("larger than" in record["failed"]["summary"] for record in records)


@pytest.mark.slow
def test_a_server_that_drips_is_given_up_after_the_whole_time(endpoint: Start, tmp_path: Path) -> None:
    started = time.monotonic()
    refused(teach(endpoint, "drip", tmp_path), "1.5 s")
    assert time.monotonic() - started < 15


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["deep", "deepobject", "html", "redirect"])
def test_an_answer_of_no_use_fails_in_words(endpoint: Start, mode: str, tmp_path: Path) -> None:
    refused(teach(endpoint, mode, tmp_path), {"redirect": "HTTP 307"}.get(mode, "not a JSON object"))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["hugeusage", "bigusage"])
def test_an_absurd_count_of_tokens_does_not_cost_the_answer(endpoint: Start, mode: str, tmp_path: Path) -> None:
    accepted(teach(endpoint, mode, tmp_path))
    assert all("A short summary" in record["summary"] for record in written(tmp_path)), written(tmp_path)
    model = CachedChat(OpenAIChat(*endpoint(mode).split("#")), tmp_path / "answers.sqlite")
    first, again = model.ask(ask()), model.ask(ask())
    assert first.text == again.text
    assert again.cached
    assert 0 <= first.usage.total < 1000


def test_no_escape_of_a_model_reaches_terminal_or_file(endpoint: Start, tmp_path: Path) -> None:
    done = teach(endpoint, "escapes", tmp_path)
    assert "\x1b" not in done.stdout + done.stderr
    assert "\x1b" not in "".join(json.dumps(record, ensure_ascii=False) for record in written(tmp_path))


# ------------------------------------------------------------------ connections


class Counting(ThreadingHTTPServer):
    """Answers at once, or as `slow` says; counts connections."""

    daemon_threads = True

    def __init__(self) -> None:
        self.connections, self.slow, self.payload = 0, False, b'{"ok": 1}'
        super().__init__(("127.0.0.1", 0), Counted)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""


class Counted(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Counting

    def do_POST(self) -> None:  # the name http.server calls
        self.rfile.read(int(self.headers["Content-Length"]))
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % len(self.server.payload)
        with suppress(OSError):
            if self.server.slow:
                for letter in head + b"X: " + b"y" * 1000:
                    self.wfile.write(bytes([letter]))
                    self.wfile.flush()
                    time.sleep(0.1)
            self.wfile.write(head + b"\r\n" + self.server.payload)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def counting() -> Iterator[Counting]:
    with Counting() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_connections_are_kept_and_used_again(counting: Counting) -> None:
    far = Remote(f"http://127.0.0.1:{counting.server_port}/v1")
    for _ in range(20):
        assert far.post("x", {}) == {"ok": 1}
    assert counting.connections == 1
    threads = [threading.Thread(target=lambda: [far.post("x", {}) for _ in range(10)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counting.connections <= 9
    assert pickle.loads(pickle.dumps(far)).post("x", {}) == {"ok": 1}


def test_a_forked_process_opens_connections_of_its_own(counting: Counting) -> None:
    far = Remote(f"http://127.0.0.1:{counting.server_port}/v1")
    far.post("x", {})
    script = (
        "import os, sys\nfrom xetrieval.remote import Remote\n"
        f"far = Remote('http://127.0.0.1:{counting.server_port}/v1', timeout=5)\nfar.post('x', {{}})\n"
        "child = os.fork()\n"
        "if not child:\n    os._exit(0 if far.post('x', {}) == {'ok': 1} else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    if hasattr(os, "fork"):
        assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0


def test_an_answer_in_parts_is_their_text(counting: Counting) -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    counting.payload = json.dumps({"choices": [{"message": {"content": parts}}]}).encode()
    assert OpenAIChat(f"http://127.0.0.1:{counting.server_port}/v1", "m").ask(ask()).text == "one two"


def test_a_head_that_drips_ends_with_the_whole_time_too(counting: Counting) -> None:
    counting.slow = True
    started = time.monotonic()
    with pytest.raises(EndpointError, match=r"no answer within 0\.5 s"):
        Remote(f"http://127.0.0.1:{counting.server_port}/v1", timeout=0.5, attempts=1).post("x", {})
    assert time.monotonic() - started < 5


def test_a_client_that_is_dropped_leaves_nothing_behind(counting: Counting) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        far = Remote(f"http://127.0.0.1:{counting.server_port}/v1")
        far.post("x", {})
        before = threading.active_count()
        del far
        assert threading.active_count() < before
    script = (
        "from xetrieval.remote import Remote\n"
        f"far = Remote('http://127.0.0.1:{counting.server_port}/v1')\nfar.post('x', {{}})\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-X", "dev", "-c", script], capture_output=True, text=True)
    slow = re.compile(r"^Executing <Task .* took [\d.]+ seconds$")  # asyncio's own remark on a busy machine
    assert (done.returncode, [line for line in done.stderr.splitlines() if not slow.match(line)]) == (0, [])


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        (b'{"a": 1e999}', {"a": None}),
        (b'{"a": NaN, "b": -Infinity}', {"a": None, "b": None}),
        (b'{"a": ' + b"7" * 6000 + b"}", {"a": None}),
        (b'{"a": "\\ud83d"}', {"a": "\ud83d"}),
    ],
)
def test_one_number_or_letter_of_no_use_leaves_the_rest(counting: Counting, payload: bytes, answer: Any) -> None:
    counting.payload = payload
    assert Remote(f"http://127.0.0.1:{counting.server_port}/v1").post("x", {}) == answer
