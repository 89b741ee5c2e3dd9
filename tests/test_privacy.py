"""What an explainer that was learned on a corpus says of it, and a copy that says nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import random_explainer
from index_data import write_corpus
from test_own_dictionary import OWN, records

from xetrieval import load, open_index
from xetrieval.cli.app import app
from xetrieval.index import Corpus, build_index

WORDS = ("kidney", "rocket", "dough", "court", "whales", "corpus.jsonl")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("xetrieval.configs.rule.STEPS", 60)
    corpus = Corpus((write_corpus(tmp_path / "corpus.jsonl", records(200)),))
    build_index(corpus, random_explainer(), tmp_path / "index", OWN)
    return tmp_path / "index"


def content(folder: Path) -> str:
    return " ".join(path.read_bytes().decode("latin-1") for path in folder.iterdir() if path.is_file())


def test_a_copy_says_what_it_contains_and_can_leave_names_out(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app(["export", str(index), "--output", str(tmp_path / "whole")], standalone_mode=False)
    assert "labels, words and ids come from the documents, so share it only with" in " ".join(
        capsys.readouterr().err.split()
    )
    assert any(word in content(tmp_path / "whole") for word in WORDS)
    assert "--without-names" in (tmp_path / "whole" / "README.md").read_text()

    app(["export", str(index), "--output", str(tmp_path / "bare"), "--without-names"], standalone_mode=False)
    assert "without names" in capsys.readouterr().err
    found = content(tmp_path / "bare")
    assert not [word for word in (*WORDS, '"d1"') if word in found]
    bare, own = load(tmp_path / "bare"), open_index(index).explainer
    assert bare.digest == own.digest
    assert bare.metrics == own.metrics
    assert [one.frequency for one in bare.features] == [one.frequency for one in own.features]
    assert not any(one.label or one.examples for one in bare.features)
    assert "--without-names" not in (tmp_path / "bare" / "README.md").read_text()
    assert not list((tmp_path / "bare").glob("sentences.*"))


def test_a_worksheet_and_a_fit_say_so(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app(["label", "export", str(index), "--output", str(tmp_path / "sheet.csv")], standalone_mode=False)
    assert "it contains texts and labels of the documents" in " ".join(capsys.readouterr().err.split())
    corpus = str(tmp_path / "corpus.jsonl")
    app(["fit", corpus, "--encoder", "hashing:64", "--output", str(tmp_path / "own")], standalone_mode=False)
    assert f"run `xetrieval export {tmp_path / 'own'} --without-names`" in " ".join(capsys.readouterr().err.split())
