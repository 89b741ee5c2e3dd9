"""Expected rankings as a gate, and searches for a whole file of queries."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import random_explainer
from index_data import SMALL, build_small, records, write_corpus
from test_cli import refused, run
from test_docs import ROOT, check_command

from xetrieval.configs import ChunkConfig
from xetrieval.errors import InputError
from xetrieval.index import Corpus, Expectation, Index, build_index, open_index, read_expectations
from xetrieval.index.ask.answer import run_lines

QUERY = "word1 word2"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return open_index(build_small(tmp_path_factory.mktemp("expect"), 70))


@pytest.fixture(scope="module")
def ids(index: Index) -> list[str]:
    return [hit.doc_id for hit in index.search(QUERY, 70)]


def write(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_what_holds_has_no_explanation(index: Index, ids: list[str], tmp_path: Path) -> None:
    path = write(
        tmp_path / "expect.jsonl",
        {"query": QUERY, "doc_id": ids[4], "in_top": 5},
        {"query": QUERY, "doc_id": ids[5], "not_in_top": 5},
        {"query": QUERY, "doc_id": ids[0], "in_top": 1, "explained": 0.01},
    )
    checked = index.check(path)
    assert checked.passed
    assert [one.rank for one in checked.outcomes] == [5, 6, 1]
    assert str(checked) == "3 of 3 expectations hold"
    assert all(one.contrast is None and one.explanation is None for one in checked.outcomes)
    assert set(checked.to_dict()["outcomes"][0]) == {"expectation", "rank"}


def test_a_missing_document_is_compared_with_the_last_of_the_top(index: Index, ids: list[str]) -> None:
    for rank in (6, 31):  # just below the top, and further down
        (found,) = index.check([Expectation(QUERY, ids[rank - 1], in_top=5)]).outcomes
        assert found.broken == (f"{ids[rank - 1]} is not in the top 5: its rank is {rank}",)
        assert (found.rank, found.other) == (rank, ids[4])
        assert found.contrast is not None
        assert (found.contrast.first.doc_id, found.contrast.second.doc_id) == (ids[rank - 1], ids[4])
        why = index.why(QUERY, ids[rank - 1], over=ids[4]).contrast
        assert why is not None
        assert found.contrast.difference == pytest.approx(why.difference)
        assert found.contrast.first.document == "", "a report repeats no texts"


def test_an_unwanted_document_is_compared_with_the_first_below_the_top(index: Index, ids: list[str]) -> None:
    checked = index.check([Expectation(QUERY, ids[1], not_in_top=3)])
    (found,) = checked.outcomes
    assert found.broken == (f"{ids[1]} is in the top 3: its rank is 2",)
    assert found.other == ids[3]
    shown = str(checked)
    assert f"FAILED {QUERY!r}: {ids[1]} is in the top 3" in shown
    assert f"compared with {ids[3]}, the first below the top" in shown
    assert "remainder" in shown
    assert shown.endswith("0 of 1 expectations hold")


def test_other_modes_explain_what_is_too_high(index: Index) -> None:
    first, second = (hit.doc_id for hit in index.search(QUERY, 2, "bm25"))
    found = index.check(
        [
            Expectation(QUERY, second, in_top=1, by="bm25"),
            Expectation(QUERY, first, not_in_top=1, by="bm25"),
            Expectation("zzz", first, in_top=1, by="bm25"),
        ]
    ).outcomes
    assert [one.explanation and one.explanation.doc_id for one in found] == [first, first, None]
    assert found[2].broken == (f"{first} is not in the top 1: it is not found",)
    assert all(one.contrast is None for one in found)


def test_too_little_explained_shows_the_explanation(index: Index, ids: list[str]) -> None:
    explained = index.search(QUERY, 1)[0].explanation.explained
    assert explained is not None
    (found,) = index.check([Expectation(QUERY, ids[0], explained=min(1.0, explained + 0.01))]).outcomes
    assert found.broken == (
        f"less than {explained + 0.01:.0%} of the score of {ids[0]} is explained: {explained:.0%} is",
    )
    assert found.explanation is not None
    assert found.explanation.explained == pytest.approx(explained)


def test_filters_narrow_the_ranking(index: Index, ids: list[str]) -> None:
    cs = [doc_id for doc_id in ids if int(doc_id[1:]) % 2 == 0]
    for filters in (["site=cs"], {"site": "cs"}):
        assert index.check([Expectation(QUERY, cs[2], in_top=3, filters=filters)]).passed
    (other,) = index.check([Expectation(QUERY, ids[0] if ids[0] not in cs else ids[1], in_top=70, filters=["site=cs"])]
                           ).outcomes  # fmt: skip
    assert other.rank is None or ids[0] in cs


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"query": QUERY, "doc_id": "d1"}, "give in_top, not_in_top or explained"),
        ({"query": QUERY, "doc_id": "d1", "in_top": "5"}, "field 'in_top': '5' is not int"),
        ({"query": QUERY, "doc_id": "d1", "top": 5}, "field 'top': unknown"),
        ({"query": QUERY, "in_top": 5}, "field 'doc_id' is missing"),
        ({"query": " ", "doc_id": "d1", "in_top": 5}, "field 'query' is empty"),
        ({"query": QUERY, "doc_id": "d1", "in_top": 3, "not_in_top": 3}, "in_top must be larger"),
        ({"query": QUERY, "doc_id": "d1", "in_top": 0}, "in top 0 is out of range; give a whole number, at least 1"),
        ({"query": QUERY, "doc_id": "d1", "explained": 80.0}, "explained 80.0 is out of range"),
        ({"query": QUERY, "doc_id": "d1", "explained": 0.5, "by": "bm25"}, "explained is for dense search"),
        ({"query": QUERY, "doc_id": "d1", "in_top": 5, "by": "magic"}, "magic"),
        ({"query": QUERY, "doc_id": "absent", "in_top": 5}, "no document 'absent' in this index"),
        ({"query": QUERY, "doc_id": "d1", "in_top": 5, "filters": ["colour=red"]}, "colour"),
    ],
)
def test_a_bad_line_says_where_and_why(index: Index, tmp_path: Path, line: dict[str, Any], reason: str) -> None:
    path = write(tmp_path / "expect.jsonl", {"query": QUERY, "doc_id": "d0", "in_top": 70}, line)
    with pytest.raises(InputError, match="line 2") as caught:
        index.check(path)
    assert reason in str(caught.value)


def test_the_command_has_three_exit_codes(index: Index, ids: list[str], tmp_path: Path) -> None:
    good = write(tmp_path / "good.jsonl", {"query": QUERY, "doc_id": ids[0], "in_top": 1})
    done = run("check", index.folder, "--expect", good)
    assert (done.returncode, done.stdout) == (0, "1 of 1 expectations hold\n")
    broken = write(tmp_path / "broken.jsonl", {"query": QUERY, "doc_id": ids[9], "in_top": 5})
    done = run("check", index.folder, "--expect", broken)
    assert done.returncode == 1
    words = " ".join(done.stdout.split())  # the terminal wraps lines
    assert f"FAILED broken.jsonl, line 1: {QUERY!r}: {ids[9]} is not in the top 5: its rank is 10" in words
    done = run("check", index.folder, "--expect", broken, "--format", "json")
    assert done.returncode == 1
    record = json.loads(done.stdout)
    assert (record["expectations"], record["failed"]) == (1, 1)
    assert record["outcomes"][0]["contrast"]["difference"] < 0
    refused(run("check", index.folder, "--expect", tmp_path / "absent.jsonl"), "no such file")
    refused(run("check", tmp_path / "absent", "--expect", good), "absent")
    (tmp_path / "empty.jsonl").write_text("")
    refused(run("check", index.folder, "--expect", tmp_path / "empty.jsonl"), "the file is empty")


def test_junit_has_a_case_for_each_expectation(index: Index, ids: list[str], tmp_path: Path) -> None:
    path = write(
        tmp_path / "e.jsonl",
        {"query": QUERY, "doc_id": ids[0], "in_top": 1},
        {"query": 'word3 <&> \u0007\ufffe "word4"', "doc_id": ids[9], "in_top": 70, "not_in_top": 69},
        {"query": QUERY, "doc_id": ids[9], "in_top": 5},
    )
    done = run("check", index.folder, "--expect", path, "--format", "junit")
    assert done.returncode == 1
    root = ElementTree.fromstring(done.stdout)
    (suite,) = root
    assert root.tag == "testsuites"
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("xetrieval check index", "3", "2")
    cases = list(suite)
    assert [case.get("classname") for case in cases] == [f"e.jsonl, line {n}" for n in (1, 2, 3)]
    assert cases[0].get("name") == f"{QUERY}: {ids[0]} in the top 1"
    assert "<&>" in str(cases[1].get("name"))
    assert [len(case) for case in cases] == [0, 1, 1]
    (failure,) = cases[2]
    assert failure.get("message") == f"{ids[9]} is not in the top 5: its rank is 10"
    assert f"compared with {ids[4]}, the last of the top 5" in str(failure.text)
    assert "remainder" in str(failure.text)
    good = write(tmp_path / "good.jsonl", {"query": QUERY, "doc_id": ids[0], "explained": 0.01, "in_top": 1})
    done = run("check", index.folder, "--expect", good, "--format", "junit")
    assert done.returncode == 0
    assert 'failures="0"' in done.stdout
    (tmp_path / "bad.jsonl").write_text("{}\n")
    done = run("check", index.folder, "--expect", tmp_path / "bad.jsonl", "--format", "junit")
    assert (done.returncode, done.stdout) == (2, "")


def test_the_workflow_of_the_page_runs_commands_that_exist() -> None:
    page = (ROOT / "docs" / "checking.md").read_text()
    block = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert block
    lines = [line.split("run:")[-1].strip() for line in block[1].splitlines() if "xetrieval check" in line]
    assert lines
    for line in lines:
        check_command(shlex.split(line)[1:], whole=True)
    example = re.search(r"```json\n(.*?)```", page, re.DOTALL)
    assert example
    path = ROOT / "docs" / "checking.md"
    for number, line in enumerate(example[1].splitlines(), 1):
        assert Expectation(**json.loads(line)), (path, number)


# ------------------------------------------------------------------ a file of queries


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write(tmp_path / "queries.jsonl", *({"_id": f"q{i}", "text": f"word{i} word{i + 1}"} for i in range(3)))


def test_a_file_of_queries_gives_what_single_searches_give(index: Index, log: Path) -> None:
    done = run("search", index.folder, "--queries", log, "-k", 2, "--format", "json")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record.pop("query_id") for record in records] == ["q0", "q1", "q2"]
    for i, record in enumerate(records):
        assert record == json.loads(
            run("search", index.folder, f"word{i} word{i + 1}", "-k", 2, "--format", "json").stdout
        )
    assert "3 queries; the median best hit is higher than " in done.stderr
    shown = run("search", index.folder, "--queries", log, "-k", 2).stdout
    assert "q1: word1 word2" in shown
    assert records[1]["hits"][1]["doc_id"] in shown


def test_a_file_of_queries_as_a_trec_run(index: Index, log: Path) -> None:
    lines = run("search", index.folder, "--queries", log, "-k", 3, "--format", "trec").stdout.splitlines()
    found = [line.split() for line in lines]
    assert [(one[0], one[1], one[3], one[5]) for one in found] == [
        (f"q{i}", "Q0", str(rank), "xetrieval") for i in range(3) for rank in (1, 2, 3)
    ]
    hits = [hit for i in range(3) for hit in index.search(f"word{i} word{i + 1}", 3)]
    assert [one[2] for one in found] == [hit.doc_id for hit in hits]
    assert np.allclose([float(one[4]) for one in found], [hit.score for hit in hits], atol=1e-6)


def test_a_document_of_several_chunks_is_once_in_a_run(tmp_path: Path) -> None:
    rows = [{**row, "text": f"{row['text']}. " * 3} for row in records(30)]
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", rows),), ChunkConfig(16))
    build_index(corpus, random_explainer(), tmp_path / "index", SMALL)
    hits = open_index(tmp_path / "index").search(QUERY, 40)
    documents = list(dict.fromkeys(hit.parent or hit.doc_id for hit in hits))
    assert len(documents) < len(hits)
    assert [line.split()[2:4] for line in run_lines("q", hits)] == [[one, str(i)] for i, one in enumerate(documents, 1)]
    with pytest.raises(InputError, match=r"'a\\x1b\[2J' has a control character"):
        list(run_lines("a\x1b[2J", hits))
    log = write(tmp_path / "log.jsonl", {"_id": "q", "text": QUERY})
    done = run("search", tmp_path / "index", "--queries", log, "--format", "trec", "-k", len(documents) - 1)
    assert [line.split()[2] for line in done.stdout.splitlines()] == documents[:-1]
    score = done.stdout.split()[4]
    assert float(score) == pytest.approx(hits[0].score, abs=1e-9), "near-ties stay apart"


def test_what_a_file_of_queries_cannot_be_combined_with(index: Index, log: Path, tmp_path: Path) -> None:
    search = ("search", index.folder)
    refused(run(*search, "word1", "--queries", log), "give one query or a file of them")
    refused(run(*search, "--queries", log, "--overview"), "an overview is about the hits of one query")
    refused(run(*search, "word1", "--skip-bad"), "--skip-bad needs --queries")
    refused(run(*search, "word1", "--format", "trec"), "--format trec needs --queries")
    refused(run(*search, "--queries", log, "--format", "trec", "--explain"), "no place for explanations")
    spaced = write(tmp_path / "spaced.jsonl", {"_id": "q 1", "text": "word1"})
    refused(run(*search, "--queries", spaced, "--format", "trec"), "id 'q 1' has a space")
    later = write(tmp_path / "later.jsonl", {"_id": "q", "text": "word1"}, {"_id": "q 2", "text": "word2"})
    done = run(*search, "--queries", later, "--format", "trec")
    refused(done, "id 'q 2' has a space")
    assert not done.stdout, "a run is printed whole or not at all"
    bad = write(tmp_path / "bad.jsonl", {"_id": "a", "text": 3}, {"_id": "b", "text": "word1"})
    refused(run(*search, "--queries", bad), "line 1")
    done = run(*search, "--queries", bad, "--skip-bad", "--format", "trec", "-k", 1)
    assert done.returncode == 0
    assert done.stdout.startswith("b Q0 ")


def test_expectations_of_a_file_know_their_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "e.jsonl", {"query": "a", "doc_id": "b", "in_top": 1})
    assert read_expectations(path) == [Expectation("a", "b", in_top=1, where="e.jsonl, line 1")]
