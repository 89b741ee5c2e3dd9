"""An index that another explainer's takes the place of while it is served; a language model that counts absurdly."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import random_explainer, random_sae
from index_data import SMALL, build_small, records, write_corpus

pytest.importorskip("fastapi", reason='pip install "xetrieval[ui]"')
from starlette.testclient import TestClient

from xetrieval.index import Corpus, build_index, open_index
from xetrieval.index.ask.report import report
from xetrieval.llm import Budget, Ledger, Message, Request, Usage
from xetrieval.llm.client import OpenAIChat
from xetrieval.serve import service
from xetrieval.serve.app import create_app

ASKED = Request((Message("user", "some words to answer"),), 300)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[TestClient, Path, Path]:
    """A client, the folder that is served, and an index of the same documents by another explainer."""
    monkeypatch.setattr(service, "LOOKS_EVERY", 0.0)
    folder, other = build_small(tmp_path, 20), tmp_path / "other"
    relearned = replace(random_explainer(), sae=random_sae(seed=7))
    build_index(Corpus((write_corpus(tmp_path / "other.jsonl", records(20)),)), relearned, other, SMALL)
    opened = open_index(folder)
    client = TestClient(create_app({"toy": opened}, opened.explainer), base_url="http://localhost")
    return client, folder, other


def test_texts_are_explained_by_the_explainer_that_the_index_has_now(served: tuple[TestClient, Path, Path]) -> None:
    client, folder, other = served
    texts = {"query": "word1 word2", "document": "word2 word3"}
    two = {"query": "word1 word2", "first": "word2 word3", "second": "word4"}
    before = client.post("/v1/explain", json=texts).json()
    shutil.rmtree(folder)
    other.rename(folder)
    for path, asked in (("/v1/explain", texts), ("/v1/contrast", two)):
        assert client.post(path, json=asked).json() == client.post(path, json={**asked, "index": "toy"}).json()
    after = client.post("/v1/explain", json=texts).json()
    assert after["score"] == pytest.approx(before["score"])
    assert after["shared_features"] != before["shared_features"]


def test_a_report_that_was_begun_before_the_change_is_not_kept(
    served: tuple[TestClient, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, folder, other = served

    def slow(index: Any) -> Any:
        """While it is made, the index is replaced and somebody asks for a search."""
        made = report(index)
        if other.exists():
            shutil.rmtree(folder)
            other.rename(folder)
            assert client.get("/v1/health").status_code == 200
        return made

    monkeypatch.setattr(service, "report", slow)
    old = client.get("/v1/report").json()
    assert client.get("/v1/report").json() == report(open_index(folder)).to_dict() != old


class Lying:
    """A server with a count of tokens that is none."""

    base_url = "http://127.0.0.1:9/v1"

    def __init__(self, usage: dict[str, Any]) -> None:
        self.usage = usage

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return {"choices": [{"message": {"content": "some words"}}], "usage": self.usage}


@pytest.mark.parametrize("absurd", [True, -5, 0, None, "many", float("inf"), 10**400], ids=lambda one: str(one)[:5])
@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens"])
def test_a_count_that_is_none_costs_what_was_set_aside(name: str, absurd: Any) -> None:
    model = OpenAIChat("http://127.0.0.1:9/v1", "m")
    model.remote = Lying({"prompt_tokens": 10, "completion_tokens": 5, name: absurd})  # type: ignore[assignment]
    ledger = Ledger(Budget(tokens=10_000))
    reserved = ledger.reserve(ASKED)
    ledger.settle(reserved, model.ask(ASKED))
    assert ledger.usage == (Usage(reserved.prompt, 5) if name == "prompt_tokens" else Usage(10, reserved.completion))
