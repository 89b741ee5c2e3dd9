"""Folders of pages, lists of bad rows and odd names: read, reported or refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from cases_data import CASES, CORPUS, FOLDER, accepted, evaluate, made, refused, run
from conftest import random_explainer

from xetrieval.index import open_index

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("models_shared")]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    random_explainer().save(folder / "toy")
    return folder


@pytest.fixture(scope="module")
def judged(home: Path) -> Path:
    return made("benchmarks", home)


@pytest.fixture(scope="module")
def corpora(home: Path) -> Path:
    return made("corpora", home)


def build(home: Path, source: Path, output: Path, *options: object) -> Any:
    return run("index", "build", source, "--output", output, "-x", home / "toy", *options)


def documents(index: Path, query: str = "tyres", *options: object) -> dict[str, dict[str, Any]]:
    done = run("search", index, query, "-k", "10", "--format", "json", *options)

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    found = json.loads(accepted(done).stdout, parse_constant=refuse)
    return {hit["doc_id"]: hit for hit in found["hits"]}


def text_of(index: Path, identifier: str) -> str:
    opened = open_index(index)
    row = opened.find(identifier)
    assert row is not None
    return opened.document(row).text


def bad_rows(output: Path) -> list[dict[str, Any]]:
    listed = output.with_name(output.name + ".bad.jsonl")
    return [json.loads(line) for line in listed.read_text(encoding="utf-8").splitlines()]


def test_front_matter_is_title_and_metadata_and_never_text(home: Path, tmp_path: Path) -> None:
    accepted(build(home, FOLDER / "frontmatter", tmp_path / "i"))
    found = documents(tmp_path / "i", "get my money back")
    assert {name: hit["title"] for name, hit in found.items()} == {
        "refund.md": "Refund policy",
        "login.md": "Cannot sign in",
        "heading.md": "Shipping times",
        "rule.md": "A page that begins with text.",
        "broken.md": "title: Never closed",
    }
    for name in ("refund.md", "login.md"):
        assert not any(
            mark in text_of(tmp_path / "i", name) + found[name]["snippet"] for mark in ("---", "tags:", "updated")
        )
    assert "The line above is a rule" in text_of(tmp_path / "i", "rule.md")
    assert "---" in text_of(tmp_path / "i", "rule.md")
    assert text_of(tmp_path / "i", "broken.md").startswith("---\ntitle: Never closed")
    assert sorted(documents(tmp_path / "i", "money", "--filter", "updated=2024-05-01")) == ["refund.md"]
    assert sorted(documents(tmp_path / "i", "money", "--filter", "tags=billing")) == ["refund.md"]
    assert sorted(documents(tmp_path / "i", "money", "--filter", "tags=account")) == ["login.md"]


def test_html_is_read_without_scripts_and_styles(home: Path, tmp_path: Path) -> None:
    accepted(build(home, FOLDER / "html", tmp_path / "i"))
    found = documents(tmp_path / "i")
    assert sorted(found) == ["a.txt", "page.html"]
    assert found["page.html"]["title"] == "Tyres"
    assert text_of(tmp_path / "i", "page.html") == "Tyres\nCheck the pressure of bicycle tyres every month."


def test_a_file_that_is_not_utf8_is_named(home: Path, tmp_path: Path) -> None:
    refused(build(home, FOLDER / "latin1", tmp_path / "i"), "bad.txt", "not UTF-8", "--skip-bad")
    done = accepted(build(home, FOLDER / "latin1", tmp_path / "i", "--skip-bad"))
    assert sorted(documents(tmp_path / "i")) == ["good.txt", "other.txt"]
    assert "bad.txt: not UTF-8" in done.stderr
    (row,) = bad_rows(tmp_path / "i")
    assert row["file"].endswith("bad.txt")


def test_files_of_other_kinds_are_said_to_be_passed_over(home: Path, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("a.md", "b.pdf", "c.PDF", "d.docx", ".hidden.pdf"):
        (tmp_path / "docs" / name).write_text("Check tyres.")
    done = accepted(build(home, tmp_path / "docs", tmp_path / "i"))
    assert "3 files were skipped: no text, or an unsupported extension (2 .pdf, 1 .docx)" in done.stderr
    assert "skipped" not in accepted(build(home, CORPUS / "ok.jsonl", tmp_path / "j")).stderr


def test_a_list_of_bad_rows_is_never_put_beside_a_device(home: Path, judged: Path) -> None:
    done = accepted(evaluate(home, judged / "blankdoc", "--skip-bad", "--output", os.devnull))
    assert "line 37" in done.stderr
    assert not Path(os.devnull + ".bad.jsonl").exists()


@pytest.mark.skipif(os.name != "posix", reason="elsewhere every name of a file is text")
def test_a_name_that_is_not_utf8_can_be_printed(home: Path, corpora: Path, tmp_path: Path) -> None:
    accepted(build(home, corpora / "notutf8name", tmp_path / "i"))
    assert sorted(documents(tmp_path / "i")) == ["bad\\xff.txt", "good.txt"]


def test_a_pair_with_half_a_character_is_left_out(home: Path, tmp_path: Path) -> None:
    source = CASES / "arguments" / "pairs_surrogate.jsonl"
    refused(run("explain", "--input", source, "--output", tmp_path / "out", "-x", home / "toy"), "surrogate")
    done = accepted(
        run("explain", "--input", CASES / "arguments/pairs_onebad.jsonl", "--output", tmp_path / "out", "--skip-bad")
    )
    assert len((tmp_path / "out").read_text().splitlines()) == 1
    assert [row["line"] for row in bad_rows(tmp_path / "out")] == [2, 3]
    assert "2 rows were left out" in done.stderr
