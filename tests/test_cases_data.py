"""The cases of tests/cases on reading other people's data: judgments, corpora, folders of pages."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from cases_data import CASES, CORPUS, FOLDER, accepted, evaluate, made, refused, run
from conftest import random_explainer

from xetrieval.index import open_index

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("models_shared")]


BASE = CASES / "benchmark" / "base"


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


def ndcg(done: Any) -> float:
    records = json.loads(accepted(done).stdout)
    return next(r["ndcg10"] for r in records if r["system"] == "none")


# ------------------------------------------------------------------ benchmark/


FORMS = "trec_tab trec_q0 trec_space bom_head crlf padded bom_nohead blankend float head_relevance comment"


@pytest.mark.parametrize("case", [*FORMS.split(), "idkey", "query_id", "qid"])
def test_judgments_and_queries_in_every_usual_form_are_the_same(home: Path, judged: Path, case: str) -> None:
    done = evaluate(home, judged / case)
    assert ndcg(done) == pytest.approx(84.55, abs=0.05)
    assert "left out" not in done.stderr


def test_the_plain_form_gives_the_known_value(home: Path) -> None:
    assert ndcg(evaluate(home, BASE)) == pytest.approx(84.55, abs=0.05)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("noid", ("queries.jsonl", "line 1", "_id")),
        ("blankdoc", ("corpus.jsonl", "line 37", "--skip-bad")),
        ("dupquery", ("queries.jsonl", "line 13", "'1'")),
        ("unknown", ("none", "52 pairs")),
        ("twogrades", ("test.tsv", "line 54", "grade 2")),
        ("minusminus", ("line 54", "--1")),
        ("superscript", ("line 54", "²")),
        ("nangrade", ("line 54", "nan")),
        ("hugegrade", ("line 54", "1e25")),
        ("longgrade", ("line 54", "99999")),
    ],
)
def test_judgments_that_cannot_be_read_are_refused_with_their_place(
    home: Path, judged: Path, case: str, words: tuple[str, ...]
) -> None:
    refused(evaluate(home, judged / case), *words)


def test_an_empty_query_without_judgments_is_left_out_and_said(home: Path, judged: Path) -> None:
    done = evaluate(home, judged / "emptyquery")
    assert ndcg(done) == pytest.approx(84.55, abs=0.05)
    assert "1 query without a text was left out" in done.stderr


def test_judged_documents_that_are_absent_are_said(home: Path, judged: Path) -> None:
    done = evaluate(home, judged / "halfunknown")
    assert 0 < ndcg(done) < 80
    assert "26 of 52 judged pairs" in done.stderr


def test_an_empty_document_is_left_out_and_listed(home: Path, judged: Path, tmp_path: Path) -> None:
    done = evaluate(home, judged / "blankdoc", "--skip-bad", "--output", tmp_path / "records.json")
    assert ndcg(done) == pytest.approx(84.55, abs=0.05)
    assert "1 row was left out" in done.stderr
    assert "line 37" in done.stderr
    (row,) = bad_rows(tmp_path / "records.json")
    assert (row["line"], row["reason"]) == (37, "document '9999' has neither title nor text")


def test_doctor_reads_the_judgments_of_trec(home: Path, judged: Path) -> None:
    accepted(run("index", "build", BASE, "--output", home / "judged", "-x", home / "toy"))
    reports = []
    for folder in (BASE, judged / "trec_tab"):
        files = ("--queries", folder / "queries.jsonl", "--qrels", folder / "qrels/test.tsv")
        reports.append(json.loads(accepted(run("doctor", home / "judged", *files, "--format", "json")).stdout))
    assert reports[0] == reports[1]
    assert reports[0]["judged"] == 12
    done = run("doctor", home / "judged", "--queries", judged / "emptyquery/queries.jsonl")
    assert "1 query without a text was left out" in accepted(done).stderr
    unknown = judged / "unknown"
    done = run("doctor", home / "judged", "--queries", BASE / "queries.jsonl", "--qrels", unknown / "qrels/test.tsv")
    refused(done, "52 pairs")


@pytest.mark.parametrize("name", ["qrels_truncated.tsv.gz", "qrels_damaged.tsv.gz"])
def test_damaged_judgments_are_refused(home: Path, corpora: Path, name: str) -> None:
    if not (home / "ok").exists():
        accepted(build(home, CORPUS / "ok.jsonl", home / "ok"))
    done = run("doctor", home / "ok", "--queries", BASE / "queries.jsonl", "--qrels", corpora / name)
    refused(done, name, "damaged")


# ------------------------------------------------------------------ corpus/


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


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("ok.jsonl", "abc"),
        ("crlf.jsonl", "abc"),
        ("bom.jsonl", "abc"),
        ("parentdict.jsonl", "abc"),
        ("parentlist.jsonl", "abc"),
        ("parentstr.jsonl", "abc"),
        ("startdate.jsonl", "abc"),
        ("startbig.jsonl", "abc"),
        ("toplevel.jsonl", "abc"),
        ("nanmeta.jsonl", "abc"),
        ("UP.CSV", "ab"),
        ("ok.csv", "ab"),
        ("ok.csv.gz", "ab"),
        ("quote.tsv", "1234"),
        ("quote2.tsv", "12"),
    ],
)
def test_corpora_are_read(home: Path, tmp_path: Path, name: str, ids: str) -> None:
    accepted(build(home, CORPUS / name, tmp_path / "i"))
    assert sorted(documents(tmp_path / "i")) == list(ids)
    assert not list(tmp_path.glob("*.bad.jsonl"))


def test_capitals_in_an_ending_mean_nothing(home: Path, tmp_path: Path) -> None:
    accepted(build(home, CORPUS / "UP.JSONL", tmp_path / "i"))
    accepted(build(home, FOLDER / "upper", tmp_path / "u"))
    assert sorted(documents(tmp_path / "u")) == ["NOTES.TXT", "README.MD"]


def test_the_known_scores_of_a_plain_corpus(home: Path, tmp_path: Path) -> None:
    accepted(run("index", "build", CORPUS / "ok.jsonl", "--output", tmp_path / "i"))
    found = documents(tmp_path / "i")
    assert found["b"]["score"] == pytest.approx(0.5580, abs=0.001)
    assert found["a"]["score"] == pytest.approx(0.0994, abs=0.001)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("emptytext.jsonl", ("line 3", "--skip-bad")),
        ("nulltext.jsonl", ("line 3", "--skip-bad")),
        ("onebad.jsonl", ("line 2", "--skip-bad")),
        ("latin1.jsonl", ("not UTF-8", "line 1", "byte 23")),
        ("dup.jsonl", ("'a'", "duplicate")),
        ("surrid.jsonl", ("line 1", "surrogate")),
        ("surrmeta.jsonl", ("line 1", "surrogate")),
        ("surrtext.jsonl", ("line 1", "surrogate")),
        ("trunc.jsonl", ("line 4", "not JSON")),
        ("concat.jsonl", ("line 1", "not JSON")),
        ("empty.jsonl", ("empty",)),
        ("array.json", ("a JSON array, not JSON lines",)),
        ("semi.csv", ("semicolons", "text")),
        ("cp1252.csv", ("not UTF-8", "line 3", "byte 6")),
        ("empty.csv", ("line 3", "neither title nor text")),
        ("dupcol.csv", ("duplicate column 'text'",)),
    ],
)
def test_corpora_that_cannot_be_read_are_refused_and_spoil_nothing(
    home: Path, tmp_path: Path, name: str, words: tuple[str, ...]
) -> None:
    refused(build(home, CORPUS / name, tmp_path / "i"), name if "duplicate" not in words else "", *words)
    accepted(build(home, CORPUS / "ok.jsonl", tmp_path / "i"))
    assert sorted(documents(tmp_path / "i")) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("name", "ids", "lines"),
    [
        ("emptytext.jsonl", "ab", [3]),
        ("nulltext.jsonl", "ab", [3]),
        ("onebad.jsonl", "ac", [2, 3]),
        ("surrid.jsonl", "bc", [1]),
        ("cp1252.csv", "a", [3]),
        ("empty.csv", "a", [3]),
    ],
)
def test_bad_rows_are_left_out_and_listed(home: Path, tmp_path: Path, name: str, ids: str, lines: list[int]) -> None:
    done = accepted(build(home, CORPUS / name, tmp_path / "i", "--skip-bad"))
    assert sorted(documents(tmp_path / "i")) == list(ids)
    rows = bad_rows(tmp_path / "i")
    assert [row["line"] for row in rows] == lines
    assert all(row["reason"] and row["file"].endswith(name) for row in rows)
    assert f"{len(lines)} row" in done.stderr
    assert rows[0]["reason"] in done.stderr


def test_every_command_that_reads_a_corpus_can_leave_bad_rows_out(home: Path, tmp_path: Path) -> None:
    source = tmp_path / "source.jsonl"
    lines = (BASE / "corpus.jsonl").read_text().splitlines()
    source.write_text("\n".join([*lines[:3], '{"_id": "x", "text": ""}', "not json", *lines[3:]]) + "\n")
    accepted(build(home, CORPUS / "ok.jsonl", tmp_path / "i"))
    fitted = ("--encoder", "hashing:48", "-F", 32, "--l0", 4, "--epochs", 1)
    texts = [{"_id": json.loads(line)["_id"], "summary": f"About {place}."} for place, line in enumerate(lines)]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(text) + "\n" for text in texts))
    (tmp_path / "replay.jsonl").write_text(json.dumps({"answer": "A document about one subject of the sort."}) + "\n")
    taught = ("--encoder", "hashing:48", "--teacher", tmp_path / "texts.jsonl")
    commands = {
        "i": ("index", "add", tmp_path / "i", source),
        "fitted": ("fit", source, *fitted, "--output", tmp_path / "fitted"),
        "nets": ("internalizer", "train", source, *taught, "--epochs", 2, "--hidden", 8, "--output", tmp_path / "nets"),
        "examples": ("label", "examples", home / "toy", source, "--output", tmp_path / "examples"),
        "taught.jsonl": (
            *("teach", source, "--output", tmp_path / "taught.jsonl", "--aspects", "summary"),
            *("--llm", f"replay:{tmp_path / 'replay.jsonl'}"),
        ),
    }
    for name, command in commands.items():
        before = sorted(path.name for path in tmp_path.iterdir())
        refused(run(*command), "source.jsonl, line 4", "--skip-bad")
        assert sorted(path.name for path in tmp_path.iterdir()) == before
        done = accepted(run(*command, "--skip-bad"))
        assert [row["line"] for row in bad_rows(tmp_path / name)] == [4, 5], name
        assert "2 rows were left out" in done.stderr, name


def test_a_users_parent_is_not_the_place_of_a_piece(home: Path, tmp_path: Path) -> None:
    accepted(build(home, CORPUS / "parentstr.jsonl", tmp_path / "i"))
    done = accepted(run("index", "delete", tmp_path / "i", "a"))
    assert "1 deleted, 2 documents left" in done.stderr
    assert sorted(documents(tmp_path / "i")) == ["b", "c"]


def test_other_fields_of_json_lines_are_metadata(home: Path, tmp_path: Path) -> None:
    accepted(build(home, CORPUS / "toplevel.jsonl", tmp_path / "i"))
    assert sorted(documents(tmp_path / "i", "tyres", "--filter", "site=cs")) == ["a", "c"]


def test_a_quotation_mark_in_a_table_with_tabs_is_text(home: Path, tmp_path: Path) -> None:
    accepted(build(home, CORPUS / "quote.tsv", tmp_path / "i"))
    assert text_of(tmp_path / "i", "1") == '"start of a quotation that never ends'
    accepted(build(home, CORPUS / "quote2.tsv", tmp_path / "j"))
    assert text_of(tmp_path / "j", "1") == '"Foo" bar baz'


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bigint.jsonl", ("line 2", "digits")),
        ("bigmeta.jsonl", ("line 2", "digits")),
        ("deep.jsonl", ("line 2", "nested too deeply")),
        ("longline.jsonl", ("line 2", "4 MB")),
        ("truncated.jsonl.gz", ("damaged",)),
        ("damaged.jsonl.gz", ("damaged",)),
        ("bomb.jsonl.gz", ("line 1", "longer than 4 MB")),
    ],
)
def test_hostile_corpora_are_refused_and_spoil_nothing(
    home: Path, corpora: Path, tmp_path: Path, name: str, words: tuple[str, ...]
) -> None:
    refused(build(home, corpora / name, tmp_path / "i"), name, *words)
    accepted(build(home, CORPUS / "ok.jsonl", tmp_path / "i"))


def test_a_line_that_is_too_long_is_left_out(home: Path, corpora: Path, tmp_path: Path) -> None:
    accepted(build(home, corpora / "longline.jsonl", tmp_path / "i", "--skip-bad"))
    assert sorted(documents(tmp_path / "i")) == ["a"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are a thing of POSIX")
def test_a_pipe_is_read_and_one_that_nobody_writes_to_is_refused(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xetrieval.files.atomic.PATIENCE", 0.2)
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    refused(build(home, pipe, tmp_path / "i"), "pipe.jsonl", "nobody writes to this pipe")
    refused(build(home, Path(os.devnull), tmp_path / "i"), "a device")
    refused(build(home, Path("/dev/zero"), tmp_path / "i"), "a device")
    refused(run("doctor", home / "toy", "--queries", pipe))
    writer = threading.Thread(target=lambda: pipe.write_bytes((CORPUS / "ok.jsonl").read_bytes()))
    writer.start()
    monkeypatch.setattr("xetrieval.files.atomic.PATIENCE", 30)
    accepted(build(home, pipe, tmp_path / "i"))
    writer.join()
    assert sorted(documents(tmp_path / "i")) == ["a", "b", "c"]
