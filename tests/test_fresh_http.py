"""What is asked over HTTP is taken as it was meant, or refused; what another server counts does not open a budget."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from chat_server import chat_server
from conftest import random_explainer
from index_data import SMALL, records, write_corpus

pytest.importorskip("fastapi", reason='pip install "xetrieval[ui]"')
from starlette.testclient import TestClient

from xetrieval.index import Corpus, build_index, open_index
from xetrieval.llm import Message, OpenAIChat, Request
from xetrieval.llm.base import Answer, Usage
from xetrieval.llm.budget import Ledger
from xetrieval.serve.app import create_app


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("fresh")
    build_index(Corpus((write_corpus(home / "c.jsonl", records(40)),)), random_explainer(), home / "toy", SMALL)
    return home / "toy"


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    served = {"a": open_index(folder), "b": open_index(folder)}
    app = create_app(served, random_explainer(), profiles=folder.parent / "profiles")
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ('{"site": null}', "null is neither text, number"),
        ('{"site": [null]}', "null is neither text, number"),
        ('{"a": {"b": 1}}', "or write a nested field as FIELD.INNER"),
        ("null", "leave it out, or give conditions"),
        ('"site=cs"', "give a list of conditions"),
        ("[5]", "not a condition"),
    ],
)
def test_filters_that_cannot_be_read_are_refused_for_the_true_reason(
    client: TestClient, filters: str, words: str
) -> None:
    body = f'{{"query": "word1", "filters": {filters}}}'
    answer = client.post("/v1/search", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert words in answer.json()["error"]
    assert "constrained" not in answer.text


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ('{"query": "word1"}', "text/plain", "'text/plain'; send JSON"),
        ('{"query": "word1"}', None, "'no content-type'; send JSON"),
        ("", "application/json", "send a JSON object"),
        ("[1]", "application/json", "send a JSON object"),
    ],
)
def test_a_body_that_is_not_json_is_refused_for_the_true_reason(
    client: TestClient, body: str, kind: str | None, words: str
) -> None:
    answer = client.post("/v1/search", content=body, headers={"content-type": kind} if kind else {})
    assert answer.status_code == 422
    assert words in answer.json()["error"]
    utf8 = {"content-type": "application/json; charset=utf-8"}
    assert client.post("/v1/search", content='{"query": "word1"}', headers=utf8).status_code == 200


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ('"factors": {"1": 2, "01": 3}', "not a whole number"),  # the factor 2 was lost
        ('"factors": {"1_0": 2}', "not a whole number"),  # feature 10 was steered
        ('"factors": {" 1": 2}', "not a whole number"),
        ('"factors": {"1.0": 2}', "not a whole number"),
        ('"factors": {"1": 2, "1": 3}', "duplicate name"),
        ('"factors": {"1": true}', "valid number"),
        ('"factors": {"1": "2"}', "valid number"),
        ('"k": 1, "k": 50', "duplicate name"),
        ('"k": true', "valid integer"),
        ('"k": "5"', "valid integer"),
        ('"explain": "no"', "valid boolean"),
        ('"overview": 1', "valid boolean"),
        ('"k": ' + "9" * 5000, "digits"),
        ('"top": 1e999', "too large"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(client: TestClient, fields: str, words: str) -> None:
    body = '{"query": "word1", "index": "a", ' + fields + "}"
    answer = client.post("/v1/search", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert words in answer.json()["error"]


def test_factors_by_plain_numbers_are_taken(client: TestClient) -> None:
    answer = client.post("/v1/search", json={"query": "word1", "index": "a", "factors": {"1": 2, "10": 0.5}})
    assert {one["feature_id"]: one["factor"] for one in answer.json()["steered"]} == {1: 2.0, 10: 0.5}


def test_without_a_name_the_first_index_answers(client: TestClient) -> None:
    """The page relies on it until somebody chooses another."""
    for index in ({}, {"index": None}):
        answer = client.post("/v1/search", json={"query": "word1", **index})
        assert (answer.status_code, answer.json()["index"]) == (200, "a")


@pytest.mark.parametrize(
    ("usage", "text", "counted"),
    [
        (Usage(0, 5), "x", (True, 5)),  # an absurd count of the prompt was nothing, and the budget never ended
        (Usage(7, 0), "x", (7, True)),
        (Usage(7, 0), "", (7, 0)),
        (Usage(0, 0), "", (True, True)),
        (Usage(7, 5), "x", (7, 5)),
    ],
)
def test_what_a_server_does_not_count_is_as_set_aside(usage: Usage, text: str, counted: tuple[int, int]) -> None:
    ledger = Ledger()
    most = ledger.reserve(Request((Message("user", "a question of some length"),), max_tokens=20))
    ledger.settle(most, Answer(text, usage))
    expected = tuple(aside if count is True else count for count, aside in zip(counted, most, strict=True))
    assert ledger.usage == expected


@pytest.mark.parametrize("value", ["0", "-5", "nan", "-inf"])
def test_a_server_that_asks_for_no_pause_gets_one(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    with chat_server(lambda _: "x") as server:
        server.moods = [f"429:{value}"]
        OpenAIChat(server.url, "m").ask(Request((Message("user", "hello"),), max_tokens=20))
    assert max(waits) > 0.3


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1/documents?id=d0&id=d1", "duplicate"),
        ("/v1/report?index=a&index=b", "duplicate"),
        ("/v1/features?limt=3", "unknown parameter; this route takes family, index, limit, offset, search"),
        ("/v1/health?x=1", "takes none"),
        ("/v1/features/1?search=x", "takes index"),
    ],
)
def test_parameters_that_are_unknown_or_there_twice_are_refused(client: TestClient, path: str, words: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 422, answer.text
    assert words in answer.json()["error"]


@pytest.mark.parametrize("number", ["1.0", "1_0", "+1", "%201", "01", "1e1", "\u0661", "0x1", "-1", "", "9" * 5000])
def test_a_number_in_an_address_is_its_digits(client: TestClient, number: str) -> None:
    for address in (f"/v1/features?limit={number}", f"/v1/features?offset={number}", f"/v1/features?family={number}"):
        answer = client.get(f"{address}&index=a")
        assert answer.status_code == 422, (address, answer.text)
        assert ("too large" if len(number) > 100 else "whole number") in answer.text, answer.text
    if number:
        assert client.get(f"/v1/features/{number}?index=a").status_code in (414, 422)
    assert client.get("/v1/features?limit=1&offset=2&index=a").json()["offset"] == 2
