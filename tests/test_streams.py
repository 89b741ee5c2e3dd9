"""Standard input, a pipe or gzip, wherever a command takes a file of queries, judgments or expectations."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import pytest
from cases_data import accepted, refused, run
from index_data import build_small, records

QUERIES = "".join(json.dumps({"_id": f"q{n}", "text": f"word{n} word{n + 1}"}) + "\n" for n in range(4, 24))
QRELS = "".join(f"q{n}\t0\td{n}\t1\n" for n in range(4, 24))
EXPECTED = json.dumps({"query": "word1", "doc_id": "d1", "in_top": 60}) + "\n"
CLICKS = "".join(json.dumps({"query": f"word{n}", "doc_id": f"d{n}"}) + "\n" for n in range(4, 24))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("streams"), 60)


def with_input(monkeypatch: pytest.MonkeyPatch, content: str | bytes) -> None:
    bytes_of = content if isinstance(content, bytes) else content.encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(bytes_of)))


@pytest.mark.parametrize("pack", [str.encode, lambda text: gzip.compress(text.encode())])
def test_standard_input_is_read_as_the_file_would_be(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: object
) -> None:
    cases = [
        (("search", folder, "--format", "json", "--queries"), QUERIES),
        (("check", folder, "--expect"), EXPECTED),
        (("doctor", folder, "--format", "json", "--queries"), QUERIES),
        (("steer", "test", folder, "--set", "1=0", "--format", "json", "--queries"), QUERIES),
        (("steer", "down", folder, "word1", "d1", "--format", "json", "--queries"), QUERIES),
        (("steer", "suggest", folder, "--output", tmp_path / "p.json", "--clicks"), CLICKS),
    ]
    for command, content in cases:
        (tmp_path / "file.jsonl").write_text(content)
        wanted = accepted(run(*command, tmp_path / "file.jsonl"))
        with_input(monkeypatch, pack(content))  # type: ignore[operator]
        assert accepted(run(*command, "-")).stdout == wanted.stdout
    (tmp_path / "q.jsonl").write_text(QUERIES)
    with_input(monkeypatch, pack(QRELS))  # type: ignore[operator]
    accepted(run("doctor", folder, "--queries", tmp_path / "q.jsonl", "--qrels", "-"))


def test_messages_name_the_stream_and_say_what_it_is_read_as(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_input(monkeypatch, EXPECTED + "{\n")
    assert "/tmp" not in refused(run("check", folder, "--expect", "-"), "standard input, line 2")
    with_input(monkeypatch, EXPECTED.replace("60", "1").replace("word1", "word80"))
    assert "standard input, line 1" in run("check", folder, "--expect", "-").stdout
    refused(run("doctor", folder, "--queries", "-", "--qrels", "-"), "standard input is named twice")
    with_input(monkeypatch, "id,text\na,one\nb,two\n")
    refused(
        run("index", "build", "-", "-x", folder / "explainer", "--output", tmp_path / "new"),
        "standard input, line 1",
        "(standard input is read as JSON lines; name a file to have another format read by its extension)",
    )
    packed = gzip.compress("".join(json.dumps(row) + "\n" for row in records(20)).encode())
    with_input(monkeypatch, packed)
    accepted(run("index", "build", "-", "-x", folder / "explainer", "--output", tmp_path / "new"))
