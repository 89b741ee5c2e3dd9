"""Cases arguments/: what is asked for, refused before any work (trainings and kinds of input are tested elsewhere)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases_data import CASES, accepted, refused, run
from conftest import random_explainer, unit
from index_data import SMALL

from xetrieval.index import Corpus, build_index, open_index

NINES = "9" * 5000

OFF = [{"feature_id": 3, "label": "label 3", "factor": 0.0}]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("arguments")
    random_explainer().save(folder / "toy")
    build_index(Corpus((CASES / "corpus" / "ok.jsonl",)), random_explainer(), folder / "ix", SMALL)
    accepted(run("steer", "apply", folder / "ix", "tyres", "--set", "3=0", "--save", folder / "p.json"))
    np.save(folder / "q.npy", unit(1))
    sae = open_index(folder / "ix").explainer.sae.digest
    (folder / "bigint.json").write_text(f'{{"factors": {{"3": {NINES}}}, "sae_digest": "{sae}"}}')
    (folder / "bigkey.json").write_text(f'{{"factors": {{"{NINES}": 1}}, "sae_digest": "{sae}"}}')
    (folder / "deep.json").write_text("[" * 100_000 + "]" * 100_000)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        ["why", "b", "--steer", "p.json", "--evidence"],
        *(["why", "b", "--by", by, "--evidence"] for by in ("bm25", "hybrid", "sparse", "concept")),
        ["why", "b", "--view", "qa=0.3", "--evidence"],
        *(["search", "--by", by, "--steer", "p.json"] for by in ("bm25", "hybrid", "sparse", "concept")),
        *(
            ["search", "--view", weight]
            for weight in ("qa=nan", "qa=inf", "qa=1e999", "qa=-inf", f"qa={NINES}", "qa=x")
        ),
        *(["search", "--steer", name] for name in ("bigint.json", "bigkey.json", "deep.json", "absent.json")),
        *(["steer", "--set", text] for text in ("3=inf", "3=nan", "3=-1", f"{NINES}=1", f"3={NINES}", "3", "=1")),
        ["search", "-k", "0"],
        ["search", "--good", "a"],
        ["search", "--top", "3"],
    ],
    ids=lambda more: " ".join(more)[:50],
)
def test_what_makes_no_sense_is_refused(home: Path, more: list[str]) -> None:
    command, *rest = [home / word if word.endswith(".json") else word for word in more]
    words = ["steer", "apply"] if command == "steer" else [command]
    refused(run(*words, home / "ix", "tyres", *rest))


def test_a_number_of_thousands_of_digits_names_no_feature(home: Path) -> None:
    refused(run("search", home / "ix", f"#{NINES}", "--by", "concept"), "5,000 digits")
    refused(run("search", home / "ix", f'"label 3"^{NINES}', "--by", "concept"), "a weight is at most 1000")
    refused(run("search", home / "ix", "x" * 20_000, "--by", "concept"))


def test_vectors_go_with_no_encoder_no_cache_and_no_evidence(home: Path, tmp_path: Path) -> None:
    given = ("explain", "--query-vectors", home / "q.npy", "--document-vectors", home / "q.npy", "-x", home / "toy")
    for more in (["--encoder", "hashing"], ["--cache", tmp_path / "kept"], ["--evidence"], ["--format", "text"]):
        refused(run(*given, *more, "--output", tmp_path / "out"), str(more[0]))
        assert list(tmp_path.iterdir()) == []
    accepted(run(*given, "--output", tmp_path / "out"))


SIZES = [["-F", "0"], ["-F", "-5"], ["-F", "99999999999"], ["--seed", "-1"], ["--inference-l0", "0"], ["--l0", "0"]]


@pytest.mark.parametrize("size", SIZES, ids=" ".join)
def test_sizes_are_refused_before_anything_is_encoded(
    size: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("encoded")

    monkeypatch.setattr("xetrieval.encoders.HashingEncoder.encode_document", never)
    refused(run("fit", CASES / "benchmark" / "base", "--encoder", "hashing", "--output", tmp_path / "out", *size))
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("out")]


@pytest.mark.parametrize("aspects", ["", " ", ",", " , "])
def test_no_aspect_is_no_work(aspects: str, tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"prompt": "x", "answer": "y"}\n')
    given = ("teach", CASES / "corpus" / "ok.jsonl", "--output", tmp_path / "out", "--llm", f"replay:{answers}")
    refused(run(*given, "--aspects", aspects), "aspect")
    assert not (tmp_path / "out").exists()


# ------------------------------------------------------------------ HTTP


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[Any]:
    pytest.importorskip("fastapi", reason='pip install "xetrieval[ui]"')
    from starlette.testclient import TestClient

    from xetrieval.serve.app import create_app

    with TestClient(
        create_app({"ix": open_index(home / "ix")}, random_explainer()), base_url="http://localhost"
    ) as one:
        yield one


@pytest.mark.parametrize(
    ("path", "body", "statuses"),
    [
        ("explain", '{"query": "tyres", "document": "Check tyres.", "factors": {"3": 0}}', (400, 422)),
        ("explain", '{"query": "tyres", "doc_id": "b", "factors": {"3": 0}, "evidence": true}', (400, 422)),
        ("contrast", '{"query": "x", "first": "a", "second": "b", "doc_id": "a", "over": "b"}', (400, 422)),
        ("search", '{"query": "x", "weights": {"qa": NaN}}', (422,)),
        ("search", '{"query": "x", "weights": {"qa": 1e999}}', (422,)),
        ("search", '{"query": "x", "weights": {"qa": Infinity}}', (422,)),
        ("search", '{"query": "x", "factors": {"3": NaN}}', (422,)),
        ("search", f'{{"query": "x", "factors": {{"{NINES}": 1}}}}', (400, 422)),
        ("search", f'{{"query": "x", "k": {NINES}}}', (400, 422)),
        ("search", f'{{"query": "#{NINES}", "by": "concept"}}', (400, 422)),
        ("search", '{"query": "x", "by": "bm25", "factors": {"3": 0}}', (400, 422)),
        ("search", '{"query": "x", "good": ["a"]}', (400, 422)),
        ("why", '{"query": "x", "doc_id": "b", "over": "a", "k": 2}', (400, 422)),
        ("steering/apply", '{"query": "x", "factors": {"3": 1e999}}', (422,)),
    ],
)
def test_http_refuses_the_same(client: Any, path: str, body: str, statuses: tuple[int, ...]) -> None:
    answer = client.post(f"/v1/{path}", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in statuses, answer.text
    assert len(answer.json()["error"]) < 600


@pytest.mark.slow
def test_a_steered_answer_says_so_at_every_door(home: Path, client: Any, tmp_path: Path) -> None:
    steer = ("--steer", home / "p.json")
    assert "steered: label 3 #3 × 0" in accepted(run("search", home / "ix", "tyres", *steer)).stdout
    found = json.loads(accepted(run("search", home / "ix", "tyres", *steer, "--format", "json")).stdout)
    assert found["steered"] == OFF
    assert "steered" not in json.loads(accepted(run("search", home / "ix", "tyres", "--format", "json")).stdout)
    assert "steered: label 3 #3" in accepted(run("why", home / "ix", "tyres", "b", *steer)).stdout
    accepted(run("why", home / "ix", "tyres", "b", *steer, "--format", "html", "--output", tmp_path / "why.html"))
    page = (tmp_path / "why.html").read_text()
    assert "when steered" in page
    assert "steered: label 3 #3 × 0" in page
    applied = json.loads(accepted(run("steer", "apply", home / "ix", "x", "--set", "3=0", "--format", "json")).stdout)
    assert applied["steered"] == OFF
    factors = {"factors": {"3": 0.0}, "query": "tyres"}
    assert client.post("/v1/search", json={**factors, "explain": False}).json()["steered"] == OFF
    assert "steered" not in client.post("/v1/search", json={"query": "tyres"}).json()
    assert client.post("/v1/steering/apply", json=factors).json()["steered"] == OFF
    explained = client.post("/v1/explain", json={**factors, "doc_id": "b"}).json()
    assert explained["steered"] == OFF
    assert "rank" not in explained
    assert "when steered" in client.post("/v1/report.html", json={**factors, "doc_id": "b"}).text
