"""A pair explained by features of the documents that are given along."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import random_explainer
from index_data import write_corpus
from test_own_dictionary import TOPICS, records

from xetrieval.cli.app import app
from xetrieval.data import read_corpora
from xetrieval.errors import InputError
from xetrieval.fitting.context import explainer_of_context

QUERY, DOCUMENT = "whales sing", "Long songs of the whales in the cold northern ocean."


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xetrieval.configs.rule.STEPS", 60)


def test_features_are_learned_from_the_context_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random_explainer().save(tmp_path / "toy")
    corpus = write_corpus(tmp_path / "context.jsonl", records(60))
    command = ["explain", QUERY, DOCUMENT, "-x", str(tmp_path / "toy"), "--context", str(corpus), "--format", "json"]
    app(command, standalone_mode=False)
    out, err = capsys.readouterr()
    assert "features learned from 60 documents of" in " ".join(err.split())
    assert "of this score without the bias, they explain" in " ".join(err.split())
    found = json.loads(out)
    assert found["explainer"] == "toy-own"
    assert found["score"] == pytest.approx(random_explainer().explain(QUERY, DOCUMENT).score, abs=1e-6)
    app(command, standalone_mode=False)
    assert capsys.readouterr().out == out, "the same context, the same features"
    app([*command[:-2], "--over", TOPICS[1], "--format", "json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)


def test_a_context_that_is_too_small_is_refused(tmp_path: Path) -> None:
    documents = read_corpora([write_corpus(tmp_path / "context.jsonl", records(51))])
    base = random_explainer()
    pair = [documents[0].text, f"  {documents[1].text} "]
    with pytest.raises(InputError, match="the context has 49 documents besides the pair; features need at least 50"):
        explainer_of_context(base, documents, pair)
    assert explainer_of_context(base, documents, pair[:1]).provenance["context"] == 50
    with pytest.raises(InputError, match="context"):
        app(["explain", "--input", "x.jsonl", "--context", str(tmp_path / "context.jsonl")], standalone_mode=False)
