"""What people wrote, and what a command reads, is not overwritten; a resumed build is the one that was asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cases_data import accepted, refused, run
from conftest import random_explainer
from index_data import SMALL, build_small, records, write_corpus

from xetrieval import Corpus, build_index, open_index
from xetrieval.index.build import pipeline


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    write_corpus(folder / "c.jsonl", records(60))
    fit = ["--encoder", "hashing", "--output", folder / "ex", "-F", "8", "--l0", "2", "--inference-l0", "2"]
    accepted(run("fit", folder / "c.jsonl", *fit))
    accepted(run("label", "examples", folder / "ex", folder / "c.jsonl", "--output", folder / "examples"))
    return folder


def test_a_worksheet_is_not_replaced(home: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "w.csv"
    accepted(run("label", "export", home / "ex", "--examples", home / "examples", "--output", sheet))
    sheet.write_text(filled := sheet.read_text(encoding="utf-8") + "mine\n", encoding="utf-8")
    refused(run("label", "export", home / "ex", "--examples", home / "examples", "--output", sheet), "exists already")
    assert sheet.read_text(encoding="utf-8") == filled


@pytest.mark.parametrize("folder", ["ex", "examples"])
def test_labelling_does_not_replace_what_it_reads(home: Path, folder: str) -> None:
    target = home / folder / "config.json"
    before = target.read_bytes()
    read = (home / "ex", "--examples", home / "examples")
    refused(run("label", "export", *read, "--output", target), "that is the input")
    scored = ("label", "score", *read, "--judge", "hashing:128", "--sample", "3", "--records", target)
    refused(run(*scored), "that is the input")
    assert target.read_bytes() == before


def test_a_resumed_build_has_the_labels_of_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", records(40)),))
    before = random_explainer()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "_publish", killed)
        with pytest.raises(KeyboardInterrupt):
            build_index(corpus, before, tmp_path / "ix", SMALL)
    renamed = tuple(replace(feature, label=f"corrected {feature.feature_id}") for feature in before.features)
    build_index(corpus, replace(before, features=renamed), tmp_path / "ix", SMALL)
    assert open_index(tmp_path / "ix").explainer.features[3].label == "corrected 3"


def test_an_index_inside_its_corpus_is_refused(home: Path, tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "a.md").write_text("# Tea\nhot water and leaves\n", encoding="utf-8")
    done = run("index", "build", pages, "-x", home / "ex", "--output", pages / "ix")
    refused(done, "inside the corpus folder")
    assert [path.name for path in pages.iterdir()] == ["a.md"]


def test_why_writes_to_a_file_what_it_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = build_small(tmp_path, 30)
    monkeypatch.setenv("COLUMNS", "100")
    printed = accepted(run("why", index, "word1 word2", "d7", "-k", "1")).stdout
    accepted(run("why", index, "word1 word2", "d7", "-k", "1", "--output", tmp_path / "why.txt"))
    assert "compared below with" in printed
    assert (tmp_path / "why.txt").read_text(encoding="utf-8").split() == printed.split()
    accepted(run("why", index, "word1 word2", "d7", "-k", "1", "--format", "markdown", "--output", tmp_path / "why.md"))
    assert "compared below with" in (tmp_path / "why.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--vectors", "v.npy", "--no-cache"], "--no-cache"),
        (["--force"], "--force needs --vectors or --store"),
    ],
)
def test_options_of_a_build_without_effect_are_refused(home: Path, options: list[str], words: str) -> None:
    refused(run("index", "build", home / "c.jsonl", "-x", home / "ex", "--output", home / "never", *options), words)


def test_a_view_has_one_weight(tmp_path: Path) -> None:
    index = build_small(tmp_path, 20)
    refused(run("search", index, "word1", "--view", "qa=0.3", "--view", "qa=0.4"), "already has a weight")
    found = json.loads(accepted(run("search", index, "word1", "--view", "qa=0.3", "--format", "json")).stdout)
    assert found["hits"]
