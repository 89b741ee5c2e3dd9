"""The server at its doors: tokens, host names, paths before its own, requests that never arrive, numbers."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cases_data import refused, run
from conftest import random_explainer
from index_data import SMALL, records, write_corpus

pytest.importorskip("fastapi", reason='pip install "xetrieval[ui]"')
from starlette.applications import Starlette
from starlette.testclient import TestClient

from xetrieval.errors import InputError
from xetrieval.index import Corpus, build_index, open_index
from xetrieval.serve.address import asked_host, place_of
from xetrieval.serve.app import create_app
from xetrieval.serve.limits import Limits


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("server")
    build_index(Corpus((write_corpus(home / "corpus.jsonl", records(40)),)), random_explainer(), home / "toy", SMALL)
    return home / "toy"


def make(folder: Path, **options: Any) -> Any:
    return create_app({"toy": open_index(folder)}, random_explainer(), **options)


@contextmanager
def client(app: Any, base_url: str = "http://localhost") -> Iterator[TestClient]:
    with TestClient(app, base_url, raise_server_exceptions=False, follow_redirects=False) as made:
        yield made


@pytest.fixture(scope="module")
def asking(folder: Path) -> Iterator[TestClient]:
    with client(make(folder)) as made:
        yield made


# ------------------------------------------------------------------ tokens and names


@pytest.mark.slow
@pytest.mark.parametrize("token", ["", " ", "\t\n", "a;b", "größe", 'a"b'])
def test_a_token_that_protects_nothing_is_refused(folder: Path, token: str) -> None:
    refused(run("serve", folder, "--host", "0.0.0.0", "--token", token), "token")
    refused(run("serve", "--token", token), "token")
    with pytest.raises(InputError, match="token"):
        make(folder, token=token)


@pytest.mark.slow
def test_names_that_are_none_are_refused() -> None:
    refused(run("serve", "--allow-host", "http://search.example.org"), "host name")
    refused(run("serve", "--allow-host", ""), "host name")
    for path in ("/v1", "/assets/x", "/a b", "/a/../b", "/a?b", "/%41"):
        refused(run("serve", "--root-path", path), "path prefix")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST", 200),
        ("localhost.", 200),
        ("localhost.:8321", 200),
        ("127.0.0.1:1", 200),
        ("127.0.0.2", 200),
        ("[::1]", 200),
        ("[::1]:8321", 200),
        ("search.example.org", 200),
        ("Search.Example.org:443", 200),
        ("evil.example.org", 421),
        ("localhost.evil.example.org", 421),
        ("search.example.org.evil", 421),
        ("127.0.0.1.evil.example.org", 421),
        ("10.0.0.1", 421),
        ("0.0.0.0", 421),
        ("[::2]", 421),
        ("localhost:8321:1", 421),
        ("localhost@evil.example.org", 421),
        ("", 421),
    ],
)
def test_host_names(folder: Path, host: str, status: int) -> None:
    with client(make(folder, hosts=frozenset({"localhost", "127.0.0.1", "::1", "search.example.org"}))) as one:
        assert one.get("/v1/health", headers={"Host": host}).status_code == status


def test_a_host_name_is_read_as_people_write_it() -> None:
    assert asked_host("LOCALHOST.:80") == "localhost"
    assert asked_host("[::1]") == "::1"
    assert asked_host("a:b") is None


# ------------------------------------------------------------------ a path before its own


def mounted(folder: Path, **options: Any) -> Any:
    outer = Starlette()
    outer.mount("/why", make(folder, **options))
    return outer


@pytest.mark.slow
@pytest.mark.parametrize("way", ["proxy keeps it", "proxy takes it off", "mounted"])
def test_page_api_limits_and_token_work_below_a_path(folder: Path, way: str) -> None:
    """`sent` is what comes to the server for /why/... in a browser."""
    sent = "" if way == "proxy takes it off" else "/why"
    limits = Limits(body=100_000)
    if way == "mounted":
        app = mounted(folder, limits=limits, token="a token")
    else:
        app = make(folder, limits=limits, token="a token", root_path="/why")
    with client(app) as one:
        assert one.get(f"{sent}/v1/health").status_code == 401
        assert one.get(f"{sent}/").status_code == 401
        entered = one.get(f"{sent}/", params={"token": "a token"})
        assert (entered.status_code, entered.headers["location"]) == (303, "./")
        assert "Path=/why/;" in entered.headers["set-cookie"] + ";"
        one.cookies.clear()
        deep = one.get(f"{sent}/v1/health", params={"token": "a token"})
        assert deep.headers["location"] == "../"
        one.cookies.clear()
        one.headers["Authorization"] = "Bearer a token"
        page = one.get(f"{sent}/")
        assert page.status_code == 200
        assert 'href="/' not in page.text
        assert 'src="/' not in page.text
        for name in page.text.split('"'):
            if name.startswith("./"):
                asset = one.get(f"{sent}/{name[2:]}")
                assert asset.status_code == 200, name
        assert one.get(f"{sent}/v1/health").json()["status"] == "ok"
        assert len(one.post(f"{sent}/v1/search", json={"query": "word1"}).json()["hits"]) == 10
        assert one.post(f"{sent}/v1/search", content=b" " * 3_000_000).status_code == 413
        assert one.post(f"{sent}/v1/search", content=iter([b" " * 60_000] * 3)).status_code == 413
        assert one.get(f"{sent}/v1/openapi.json").status_code == 200
        assert one.get(f"{sent}/v1/absent").status_code == 404


def test_too_many_at_once_are_refused_below_a_path_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started, release = threading.Event(), threading.Event()

    def slow(*_: Any, **__: Any) -> Any:
        started.set()
        release.wait(10)
        raise InputError("slow")

    monkeypatch.setattr("xetrieval.serve.service.search", slow)
    with client(mounted(folder, limits=Limits(active=1, waiting=0))) as one:
        first = threading.Thread(target=one.post, args=("/why/v1/search",), kwargs={"json": {"query": "x"}})
        first.start()
        assert started.wait(10)
        assert one.post("/why/v1/search", json={"query": "x"}).status_code == 503
        assert one.get("/why/v1/health").status_code == 200
        release.set()
        first.join()


def test_the_path_itself_leads_to_the_page(folder: Path) -> None:
    with client(make(folder, root_path="why/")) as one:
        asked = one.get("/why?q=a%20b")
        assert (asked.status_code, asked.headers["location"]) == (307, "why/?q=a%20b")


def test_a_path_is_taken_off_once() -> None:
    assert place_of("/why/v1/x", "", "/why") == ("/why", "/v1/x")
    assert place_of("/whyever", "", "/why") == ("/why", "/whyever")
    assert place_of("/a/why/", "/a", "/why") == ("/a/why", "/")
    assert place_of("/a/v1/x", "/a", "") == ("/a", "/v1/x")


# ------------------------------------------------------------------ HEAD, one route, what a browser keeps


@pytest.mark.parametrize("path", ["/v1/health", "/", "/v1/features?limit=3", "/v1/report", "/v1/openapi.json"])
def test_head_is_get_without_a_body(asking: TestClient, path: str) -> None:
    plain = {"Accept-Encoding": "identity"}
    whole, head = asking.get(path, headers=plain), asking.head(path, headers=plain)
    assert (whole.status_code, head.status_code, head.content) == (200, 200, b"")
    assert head.headers["content-length"] == str(len(whole.content))
    assert head.headers["content-type"] == whole.headers["content-type"]


def test_head_of_what_is_not_there(asking: TestClient) -> None:
    assert asking.head("/v1/absent").status_code == 404
    assert asking.head("/v1/search").status_code == 405


def test_one_question_has_one_route(asking: TestClient) -> None:
    assert asking.post("/v1/counterfactual", json={"query": "word1", "doc_id": "d1"}).status_code == 404
    assert asking.post("/v1/why", json={"query": "word1", "doc_id": "d1"}).json()["counterfactual"]


def test_the_page_is_packed_and_kept(asking: TestClient) -> None:
    page = asking.get("/")
    assert page.headers["cache-control"] == "no-cache"
    names = [name for name in page.text.split('"') if name.startswith("./assets/")]
    assert len(names) >= 2
    for name in names:
        asset = asking.get(f"/{name[2:]}", headers={"Accept-Encoding": "gzip"})
        assert asset.headers["cache-control"].endswith("immutable")
        assert asset.headers["content-encoding"] == "gzip"
    assert asking.get("/assets/absent.js").headers["cache-control"] == "no-cache"
    assert asking.get("/v1/health").headers["cache-control"] == "no-store"
    again = asking.get("/", headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


# ------------------------------------------------------------------ numbers and words


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("search", '{"query": "x", "weights": {"qa": NaN}}'),
        ("search", '{"query": "x", "weights": {"qa": Infinity}}'),
        ("search", '{"query": "x", "weights": {"qa": 1e999}}'),
        ("search", '{"query": "x", "weights": {"qa": -1e999}}'),
        ("search", '{"query": "x", "factors": {"3": NaN}}'),
        ("search", '{"query": "x", "factors": {"3": 1e999}}'),
        ("search", '{"query": "x", "k": NaN}'),
        ("search", '{"query": "x", "k": %s}' % ("9" * 5000)),
        ("search", '{"query": "x", "factors": {"%s": 1}}' % ("9" * 5000)),
        ("search", '{"query": "#%s", "by": "concept"}' % ("9" * 5000)),
        ("search", json.dumps({"query": "x", "filters": {"n": ["x"] * 101}})),
        ("search", '{"query": "x", "filters": {"%s": ["x"]}}' % ("n" * 1001)),
        ("search", '{"query": "x", "filters": {"n": ["%s"]}}' % ("x" * 1001)),
        ("explain", '{"query": "x", "doc_id": "d1", "factors": {"3": Infinity}}'),
        ("steering/apply", '{"query": "x", "factors": {"3": NaN}}'),
        ("steering/profiles", '{"name": "a", "factors": {"3": NaN}}'),
        ("search", '{"query": ' + "[" * 100_000 + "]" * 100_000 + "}"),
        ("search", '{"query": "x", "by": "\\ud83d"}'),
        ("search", '{"query": "\\ud83d"}'),
        ("search", b'{"query": "\xff"}'),
    ],
)
def test_numbers_that_are_none_and_sizes_are_refused(asking: TestClient, path: str, body: str | bytes) -> None:
    answer = asking.post(f"/v1/{path}", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text[:300]
    assert len(answer.text) < 600
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("explain", {"query": "word1", "document": "word1 word2", "factors": {"3": 0}}),
        ("explain", {"query": "word1", "doc_id": "d1", "factors": {"3": 0}, "evidence": True}),
        ("report.html", {"query": "word1", "doc_id": "d1", "factors": {"3": 0}, "evidence": True}),
        ("contrast", {"query": "word1", "first": "a", "second": "b", "doc_id": "d1", "over": "d2"}),
        ("contrast", {"query": "word1", "first": "a", "second": "b", "over": "d2"}),
    ],
)
def test_what_does_not_go_together_is_refused(asking: TestClient, path: str, body: Any) -> None:
    assert asking.post(f"/v1/{path}", json=body).status_code in (400, 422)


@pytest.mark.parametrize("query", [f"limit={'9' * 5000}", f"offset={'9' * 5000}", "family=NaN", "limit=1e3"])
def test_numbers_in_addresses(asking: TestClient, query: str) -> None:
    assert asking.get(f"/v1/features?{query}").status_code == 422
    assert asking.get(f"/v1/features/{'9' * 5000}").status_code == 422


@pytest.mark.parametrize("words", ["a/b/../..", "/etc/passwd", "/srv/data/x y", "see /usr/lib/x and /tmp/y/z"])
def test_the_askers_own_words_are_given_back(asking: TestClient, words: str) -> None:
    answer = asking.get("/v1/documents", params={"id": words})
    assert answer.status_code == 404
    assert words in answer.json()["error"]
    answer = asking.post("/v1/search", json={"query": "x", "filters": {words: ["1"]}})
    assert answer.status_code == 400
    assert "(a path" not in answer.json()["error"]


def test_the_assets_unpack_to_what_they_are(asking: TestClient) -> None:
    name = next(part for part in asking.get("/").text.split('"') if part.startswith("./assets/"))
    with asking.stream("GET", f"/{name[2:]}", headers={"Accept-Encoding": "gzip"}) as answer:
        packed = b"".join(answer.iter_raw())
    assert len(packed) < 50_000
    assert gzip.decompress(packed) == asking.get(f"/{name[2:]}", headers={"Accept-Encoding": "identity"}).content
