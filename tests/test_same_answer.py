"""The command line, the API and Python give the same object for the same question, field by field."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import random_explainer, random_sae
from index_data import SMALL, records, write_corpus
from test_cli import run

pytest.importorskip("fastapi", reason='pip install "xetrieval[ui]"')
from starlette.testclient import TestClient

from xetrieval.explain import DEFAULT_TOP, Explainer, load
from xetrieval.index import Corpus, Index, build_index, open_index
from xetrieval.index.ask.answer import search_answer
from xetrieval.index.ask.catalogue import feature_in_index
from xetrieval.index.ask.report import report
from xetrieval.index.search.mode import SearchOptions
from xetrieval.index.search.ranking import search
from xetrieval.serve.app import create_app

QUERY, TEXTS = "word1 word2", ("word1 word7 a red apple", "word2 the sky is blue")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("same")
    random_explainer().save(home / "toy")
    build_index(Corpus((write_corpus(home / "c.jsonl", records(60)),)), load(home / "toy"), home / "index", SMALL)
    return home


@pytest.fixture(scope="module")
def index(home: Path) -> Index:
    return open_index(home / "index")


@pytest.fixture(scope="module")
def client(index: Index, home: Path) -> TestClient:
    return TestClient(create_app({"toy": index}, load(home / "toy")), base_url="http://localhost")


def same(python: Any, api: Any, *command: object) -> None:
    """Equal in every field; figures to 1e-6, for a batch of another size has other last bits."""
    done = run(*command, "--format", "json")
    assert done.returncode == 0, done.stderr
    expected = json.loads(json.dumps(python.to_dict()))
    assert api.status_code == 200, api.text
    answer = api.json()
    answer.pop("index", None)  # the name that a server gives an index
    for found in (answer, json.loads(done.stdout)):
        compare(found, expected, "")


def compare(found: Any, expected: Any, where: str) -> None:
    if isinstance(expected, dict):
        assert list(found) == list(expected), where
        for key, value in expected.items():
            compare(found[key], value, f"{where}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for i, value in enumerate(expected):
            compare(found[i], value, f"{where}[{i}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=1e-6), where
    else:
        assert found == expected, where


def test_explain(home: Path, client: TestClient) -> None:
    explainer: Explainer = load(home / "toy")
    answer = explainer.with_evidence(explainer.explain(QUERY, TEXTS[0]), 3).top(3)
    api = client.post("/v1/explain", json={"query": QUERY, "document": TEXTS[0], "top": 3, "evidence": True})
    same(answer, api, "explain", QUERY, TEXTS[0], "-x", home / "toy", "--top", 3, "--evidence")


def test_explain_all_terms_with_evidence_for_the_usual_number(tmp_path: Path) -> None:
    many = replace(random_explainer(), sae=random_sae(k=24))
    many.save(tmp_path / "many")
    explainer = load(tmp_path / "many")
    answer = explainer.with_evidence(explainer.explain(QUERY, TEXTS[0]))
    assert len(answer.terms) > DEFAULT_TOP, "the test needs terms without evidence"
    assert all(term.words for term in answer.terms), "words are beside all of them"
    with TestClient(create_app({}, explainer), base_url="http://localhost") as client:
        api = client.post("/v1/explain", json={"query": QUERY, "document": TEXTS[0], "evidence": True})
    same(answer, api, "explain", QUERY, TEXTS[0], "-x", tmp_path / "many", "--evidence")


def test_contrast(home: Path, client: TestClient) -> None:
    answer = load(home / "toy").contrast(QUERY, *TEXTS, counterfactual=True).top(3)
    assert all(a.words and b.words for a, b in answer.pairs)
    api = client.post("/v1/contrast", json={"query": QUERY, "first": TEXTS[0], "second": TEXTS[1], "top": 3})
    command = ("explain", QUERY, TEXTS[0], "--over", TEXTS[1], "--counterfactual", "-x", home / "toy", "--top", 3)
    same(answer, api, *command)


@pytest.mark.parametrize("by", ["dense", "sparse"])
def test_search(home: Path, index: Index, client: TestClient, by: str) -> None:
    found = search(index, QUERY, 4, SearchOptions(by))
    words = [term.words for hit in found.hits for term in hit.explanation.terms if term.words]
    of_activation = ("document",) if by == "dense" else ("query", "document")
    assert {one.of_activation for one in words} == {of_activation}, "no document is encoded for a search"
    assert any(one.query for one in words)
    assert any(one.document for one in words)
    api = client.post("/v1/search", json={"query": QUERY, "k": 4, "by": by, "top": 3})
    command = ("search", home / "index", QUERY, "-k", 4, "--by", by, "--explain", "--top", 3)
    same(search_answer(found, None, explain=True, top=3), api, *command)


def test_why(home: Path, index: Index, client: TestClient) -> None:
    doc_id = index.search(QUERY, 30)[20].doc_id
    answer = index.why(QUERY, doc_id, k=5, counterfactual=True).top(3)
    assert all(term.words and term.words.document for term in answer.explanation.terms)
    api = client.post("/v1/why", json={"query": QUERY, "doc_id": doc_id, "k": 5, "top": 3})
    same(answer, api, "why", home / "index", QUERY, doc_id, "-k", 5, "--counterfactual", "--top", 3)


def test_feature(home: Path, index: Index, client: TestClient) -> None:
    answer = feature_in_index(index, 5)
    assert answer.documents
    assert answer.examples
    same(answer, client.get("/v1/features/5"), "features", home / "index", "--id", 5)


def test_report(home: Path, index: Index, client: TestClient) -> None:
    same(report(index), client.get("/v1/report"), "index", "report", home / "index")
