"""The API: answers what the library answers, refuses in one line, lets in no more than it can bear."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import random_explainer
from index_data import SMALL, records, write_corpus

pytest.importorskip("fastapi", reason='pip install "xetrieval[ui]"')
from starlette.testclient import TestClient

from xetrieval.errors import DamagedError
from xetrieval.evaluate.doctor import checkup
from xetrieval.index import Corpus, Index, build_index, open_index
from xetrieval.serve.app import create_app
from xetrieval.serve.limits import Gate, Limits


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("serve")
    corpus = Corpus((write_corpus(home / "corpus.jsonl", records(150)),))
    build_index(corpus, random_explainer(), home / "toy", SMALL)
    return home / "toy"


@pytest.fixture
def index(folder: Path) -> Index:
    return open_index(folder)


@pytest.fixture
def client(folder: Path, tmp_path: Path) -> Iterator[TestClient]:
    app = create_app({"toy": open_index(folder)}, random_explainer(), profiles=tmp_path / "profiles")
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


def post(client: TestClient, path: str, status: int = 200, **body: Any) -> Any:
    answer = client.post(f"/v1/{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_it_answers_what_the_library_answers(client: TestClient, index: Index) -> None:
    hits = index.search("word1 word2", 5)
    answer = post(client, "search", query="word1 word2", k=5, overview=True)
    assert [hit["doc_id"] for hit in answer["hits"]] == [hit.doc_id for hit in hits]
    assert answer["hits"][0]["explanation"] == json.loads(
        json.dumps(hits[0].explanation.top(8).without_texts().to_dict())
    )
    assert answer["overview"]["hits"] == 5
    why = index.why("word1 word2", hits[3].doc_id, k=2, counterfactual=True).to_dict()
    assert post(client, "why", query="word1 word2", doc_id=hits[3].doc_id, k=2) == json.loads(json.dumps(why))
    explained = post(client, "explain", query="word1 word2", doc_id=hits[1].doc_id, evidence=True)
    assert explained["rank"] == 2
    assert explained["score"] == pytest.approx(hits[1].score, abs=1e-6)
    assert all(term["evidence"]["document"]["sentences"] for term in explained["terms"])
    pair = post(client, "explain", query="red apple", document="an apple is red")
    assert "rank" not in pair
    total = pair["bias"] + pair["remainder"] + sum(term["share"] for term in pair["terms"])
    assert total == pytest.approx(pair["score"], abs=1e-5)
    contrast = post(client, "contrast", query="word1", doc_id=hits[0].doc_id, over=hits[1].doc_id)
    assert contrast["counterfactual"]["ahead"] in ("first", "second")
    assert post(client, "contrast", query="a", first="b c", second="d e")["second"]["document"] == "d e"


def test_features_documents_and_report(client: TestClient, index: Index) -> None:
    found = client.get("/v1/features", params={"search": "label 7", "limit": 3}).json()
    assert found["features"][0]["label"] == "label 7"
    everything = client.get("/v1/features", params={"limit": 500}).json()
    assert everything["total"] == 128
    assert [f["documents"] for f in everything["features"]] == sorted(index.frequency.tolist(), reverse=True)
    feature = everything["features"][0]["feature_id"]
    card = client.get(f"/v1/features/{feature}").json()
    rows, values = index.postings(feature)
    assert card["examples"][0]["activation"] == pytest.approx(float(values.max()))
    assert sum(b["count"] for b in card["histogram"]) == len(rows) == card["documents"]
    assert len(card["nearest"]) == 5
    assert client.get("/v1/documents", params={"id": "d3"}).json()["metadata"]["n"] == 3
    assert client.get("/v1/report").json()["documents"] == 150
    health = client.get("/v1/health").json()
    assert health["indexes"][0]["documents"] == 150
    assert [level["least"] for level in health["levels"]] == [0.75, 0.5, 0.0]


def test_an_index_says_whether_its_explainer_was_made_for_it_as_doctor_does(client: TestClient, index: Index) -> None:
    about, found = client.get("/v1/about").json(), checkup(index)
    assert (about["verdict"], about["why"]) == (found.verdict, found.why)
    assert about["verdict"] == "not made for this"
    assert "index build" in about["advice"] or "fit" in about["advice"]
    titles = {index.document(row).title for row in index.alive.tolist()}
    assert about["examples"]
    assert len(about["examples"]) <= 4
    assert set(about["examples"]) <= titles or not any(12 <= len(title) <= 90 for title in titles)


@pytest.mark.slow
def test_steering_is_applied_suggested_and_kept(client: TestClient, index: Index) -> None:
    plain = post(client, "search", query="word1 word2", k=6)["hits"]
    made = post(client, "steering/suggest", query="word1 word2", good=[plain[4]["doc_id"]], bad=[plain[0]["doc_id"]])
    assert 0 < len(made["factors"]) <= 4
    factors = {str(f["feature_id"]): f["factor"] for f in made["factors"]}
    gap = {
        hit["doc_id"]: hit["score"]
        for hit in post(client, "search", query="word1 word2", k=100, factors=factors)["hits"]
    }
    before = plain[0]["score"] - plain[4]["score"]
    assert gap[plain[0]["doc_id"]] - gap[plain[4]["doc_id"]] < before
    applied = post(client, "steering/apply", query="word1 word2", factors=factors, k=6)
    moves, lost = applied["hits"], applied["hits_lost"]
    assert [move["before_rank"] for move in moves] != [move["rank"] for move in moves]
    assert {hit["doc_id"] for hit in plain} <= {move["doc_id"] for move in (*moves, *lost)}
    assert all(move["before_rank"] <= 6 < move["rank"] for move in lost)
    every = post(client, "search", query="word1 word2", k=100, factors=factors, explain=False)["hits"]
    for move in (*moves, *lost):
        why = post(client, "why", query="word1 word2", doc_id=move["doc_id"], factors=factors)
        assert why["rank"] == move["rank"]
        assert why["explanation"]["score"] == pytest.approx(move["score"], abs=1e-5)
        if move["rank"] <= 100:
            assert every[move["rank"] - 1]["doc_id"] == move["doc_id"]
    post(client, "why", 400, query="word1 word2", doc_id=plain[0]["doc_id"], factors=factors, k=3)
    kept = post(client, "steering/profiles", name="less of it", factors=factors, note="a test")
    assert client.get("/v1/steering/profiles").json()["profiles"] == [kept]
    assert (kept["kind"], kept["scope"]) == ("scale", "all queries")
    assert 0 <= made["harm"] <= 1
    like = post(
        client, "steering/profiles", name="like", factors=factors, kind="project", like=["word1"], least_cosine=0.7
    )
    assert like["scope"] == "queries with a cosine of 0.70 or more to “word1”"
    post(client, "steering/profiles", 400, name="like", factors=factors, least_cosine=0.7)  # like no query
    refused = post(client, "steering/profiles", 422, name="../escape", factors={})
    assert "letters, digits" in refused["error"]
    assert client.delete("/v1/steering/profiles/less of it").json()["profiles"] == [like]
    assert client.delete("/v1/steering/profiles/less of it").status_code == 404
    assert client.delete("/v1/steering/profiles/..%2Fescape").status_code in (404, 422)
    post(client, "steering/suggest", 400, query="word1", good=["d1"], bad=["d1"])
    post(client, "search", 400, query="word1", factors={"999": 1})
    post(client, "search", 422, query="word1", factors={"1": -1})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("search", {"query": ""}, 422, "query"),
        ("search", {"query": " "}, 400, "the query is empty"),
        ("search", {"query": "x", "k": 1000}, 422, "k"),
        ("search", {"query": "x", "filter": {}}, 422, "filter: Extra inputs"),
        ("search", {"query": "x", "index": "absent"}, 404, "no index 'absent'"),
        ("search", {"query": "x", "filters": {"place": ["a"]}}, 400, "no document has that field"),
        ("search", {"query": '"', "by": "concept"}, 400, "cannot read"),
        ("why", {"query": "x", "doc_id": "absent"}, 404, "no document 'absent'"),
        ("explain", {"query": "x"}, 400, "one of the two"),
        ("contrast", {"query": "x", "first": "a"}, 400, "first needs second"),
    ],
)
def test_refusals_are_one_line(client: TestClient, path: str, body: Any, status: int, words: str) -> None:
    answer = client.post(f"/v1/{path}", json=body)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    assert words in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_what_goes_wrong_inside_stays_inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app({"toy": open_index(folder)}, random_explainer())
    monkeypatch.setattr("xetrieval.serve.service.search", lambda *_, **__: 1 / 0)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        answer = client.post("/v1/search", json={"query": "x"})
    assert answer.status_code == 500
    assert answer.json() == {"error": "internal error; see the server's log"}
    monkeypatch.undo()

    def damaged(*_: Any) -> Any:
        raise DamagedError(f"{folder}/shards/000002/documents.sqlite: damaged; see {folder.parent}/other/file")

    monkeypatch.setattr(Index, "document", damaged)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        answer = client.get("/v1/documents", params={"id": "d149"})
    assert answer.status_code == 400
    assert str(folder.parent) not in answer.text
    assert "index toy/shards" in answer.text


def test_headers_hosts_sizes_and_tokens(folder: Path) -> None:
    app = create_app({"toy": open_index(folder)}, random_explainer(), Limits(body=2000), token="secret token")
    with TestClient(app, base_url="http://localhost", follow_redirects=False) as client:
        assert client.get("/v1/health").status_code == 401
        assert client.get("/?token=wrong").status_code == 401
        assert client.get("/v1/health", headers={"Authorization": "Bearer secret token"}).status_code == 200
        entered = client.get("/", params={"token": "secret token"})
        assert entered.status_code == 303
        client.cookies.clear()
        shared = client.get("/?q=a+b&open=%22&token=secret+token")
        assert shared.headers["location"] == "./?q=a+b&open=%22"  # the rest of a shared address is kept
        client.cookies.clear()
        form = client.get("/?q=%22%3E%3Cb%3E&token=wrong", headers={"Accept": "text/html"})
        assert form.status_code == 401
        assert '<input type="hidden" name="q" value="&quot;&gt;&lt;b&gt;">' in form.text
        assert "not the server's" in form.text
        assert "wrong" not in form.text
        assert "HttpOnly" in entered.headers["set-cookie"]
        client.headers["Authorization"] = "Bearer secret token"
        answer = client.get("/v1/health")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers
        assert client.get("/v1/health", headers={"Host": "evil.example"}).status_code == 421
        assert client.post("/v1/search", json={"query": "x " * 2000}).status_code == 413
        chunks = iter([b"x" * 1500, b"y" * 1500])
        assert client.post("/v1/search", content=chunks).status_code == 413


def test_too_many_at_once_are_refused_and_it_recovers() -> None:
    running, most, release = 0, 0, threading.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        while not release.is_set():
            await asyncio.sleep(0.005)
        running -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    async def ask(gate: Gate, left: bool = False) -> int:
        status = 0
        queue: asyncio.Queue[Any] = asyncio.Queue()
        queue.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        if left:
            queue.put_nowait({"type": "http.disconnect"})

        async def send(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)

        scope = {"type": "http", "method": "POST", "path": "/v1/search", "headers": [(b"host", b"localhost")]}
        await gate(scope, queue.get, send)
        return status

    async def scenario() -> None:
        gate = Gate(slow, Limits(active=2, waiting=3, patience=5), frozenset(), None)
        asked = [asyncio.create_task(ask(gate)) for _ in range(9)]
        gone = asyncio.create_task(ask(gate, left=True))
        await asyncio.sleep(0.1)
        assert sum(task.done() and task.result() == 503 for task in asked) == 4
        assert gone.done()
        release.set()
        statuses = sorted([await task for task in asked])
        assert statuses == [200] * 5 + [503] * 4
        assert most == 2
        assert await ask(gate) == 200
        impatient = Gate(slow, Limits(active=1, waiting=3, patience=0.05), frozenset(), None)
        release.clear()
        first = asyncio.create_task(ask(impatient))
        await asyncio.sleep(0.01)
        assert await ask(impatient) == 503
        release.set()
        assert await first == 200
        release.clear()
        strict = Gate(slow, Limits(active=1, waiting=3, patience=5, seconds=0.05), frozenset(), None)
        assert await ask(strict) == 503  # it took too long
        assert strict.turn.locked()  # and is still at it
        release.set()
        await asyncio.sleep(0.05)
        assert not strict.turn.locked()
        assert await ask(strict) == 200

    asyncio.run(scenario())


def test_the_schema_names_every_route_with_its_answer(client: TestClient) -> None:
    schema = client.get("/v1/openapi.json").json()
    for path, methods in schema["paths"].items():
        assert path.startswith("/v1/")
        for facts in methods.values():
            assert facts["description"], path
            content = facts["responses"]["200"]["content"]
            assert "text/html" in content or "$ref" in content["application/json"]["schema"], path
    names = schema["components"]["schemas"]
    assert {"Explanation", "Contrast", "Hit", "FeatureCard"} <= set(names)
    term = set(names["Term"]["properties"])
    assert term >= {"kind", "feature_id", "label", "share", "query_activation", "view_activations", "detail", "twins"}


@pytest.mark.slow
def test_the_page_is_built_for_this_api() -> None:
    """web/openapi.json, from which the page's types are made, is what the server says of itself."""
    from xetrieval.serve.schema import schema

    kept = Path(__file__).resolve().parent.parent / "web" / "openapi.json"
    if not kept.is_file():
        pytest.skip("no web/ beside the tests: not a clone")
    assert kept.read_text() == schema(), "run: make page"
