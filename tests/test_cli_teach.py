"""teach, internalizer and evaluate, as a person types them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from chat_server import ChatServer, chat_server
from conftest import random_explainer
from test_cli import refused, run
from test_evaluate_retrieval import write_benchmark
from test_teach import GOOD, TEXT, aspect_of

from xetrieval import remote
from xetrieval.explain import load
from xetrieval.internalizer import load_internalizers
from xetrieval.render.rows import rows_of


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.001)
    with chat_server(lambda body: GOOD[aspect_of(body["messages"][-1]["content"])]) as running:
        yield running


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    lines = [{"_id": f"d{i}", "title": f"Loaf {i}", "text": f"{TEXT} Loaf {i} {'crumb ' * (i % 3)}"} for i in range(8)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


# ------------------------------------------------------------------ teach


@pytest.mark.slow
def test_teach_writes_texts_that_internalizers_learn_from(server: ChatServer, corpus: Path, tmp_path: Path) -> None:
    texts, folder = tmp_path / "texts.jsonl", tmp_path / "nets"
    done = run("teach", corpus, "--llm", f"{server.url}#m", "--output", texts, "--price", "1,2")
    assert done.returncode == 0, done.stderr
    assert "24 texts about 8 of 8 documents" in done.stderr
    assert "24 requests, 0 answers from the cache, 2,400 + 240 tokens, cost 0.00288" in done.stderr
    options = ("--teacher", texts, "--teacher", "field:title=heading@0.5", "--encoder", "hashing:32")
    done = run("internalizer", "train", corpus, *options, "--output", folder, "--hidden", 16, "--epochs", 3)
    assert done.returncode == 0, done.stderr
    stored = load_internalizers(folder)
    assert list(stored.internalizers) == ["qa", "summary", "purpose", "heading"]
    assert stored.provenance["teachers"] == ["texts.jsonl", "field:title=heading@0.5"]
    done = run("internalizer", "evaluate", folder, corpus, *options, "--format", "json")
    assert {record["aspect"] for record in json.loads(done.stdout)} == set(stored.internalizers)
    assert "recall of 100" in run("internalizer", "evaluate", folder, corpus, *options).stdout
    refused(run("internalizer", "train", corpus, *options, "--output", folder), "exists already")
    other = ("--teacher", texts, "--encoder", "hashing:16")
    refused(run("internalizer", "evaluate", folder, corpus, *other), "belong to a different encoder")


@pytest.mark.slow
def test_an_explainer_carries_a_view_of_any_name(server: ChatServer, corpus: Path, tmp_path: Path) -> None:
    options = ("--encoder", "hashing:32", "-F", 32, "--l0", 4, "--epochs", 1, "--sentences", 0)
    done = run("fit", corpus, *options, "--teacher", "field:title=heading", "--output", tmp_path / "x")
    assert done.returncode == 0, done.stderr
    explainer = load(tmp_path / "x")
    assert explainer.views == ("original", "heading")
    explanation = explainer.explain(TEXT, TEXT)
    assert "heading" in explanation.to_dict()["per_view"]
    first, *others = explanation.terms
    without = replace(first, view_activations={"original": 1.0, "heading": 0.0})
    both = [replace(term, view_activations={"original": 1.0, "heading": 1.0}) for term in others]
    differ = replace(explanation, terms=(without, *both))
    assert "h heading" in rows_of(differ, len(explanation.terms)).legend[0]
    shown = any(feature.view_activations["heading"] > 0 for feature in explanation.terms)
    assert ("heading" in explanation._repr_html_()) == shown


def test_a_dry_run_asks_nothing(server: ChatServer, corpus: Path, tmp_path: Path) -> None:
    options = ("--llm", f"{server.url}#m", "--output", tmp_path / "t.jsonl", "--price", "1,2", "--dry-run")
    done = run("teach", corpus, *options, "--aspects", "summary,qa", "--limit", 5)
    assert done.stdout.startswith("5 documents, 2 aspects: 10 requests to send, 0 answers in the cache")
    assert "cost about" in done.stdout
    assert not server.requests
    assert not (tmp_path / "t.jsonl").exists()


def test_teach_says_which_files_of_a_folder_hold_no_text(server: ChatServer, tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "a.txt").write_text(TEXT)
    (tmp_path / "pages" / "app.html").write_text("<script>run()</script>")
    options = ("--llm", f"{server.url}#m", "--output", tmp_path / "t.jsonl", "--price", "1,2", "--dry-run")
    done = run("teach", tmp_path / "pages", *options)
    assert done.returncode == 0, done.stderr
    assert "1 file was skipped: no text" in done.stderr


def test_a_spent_budget_is_exit_code_3_and_can_go_on(server: ChatServer, corpus: Path, tmp_path: Path) -> None:
    options = (corpus, "--llm", f"{server.url}#m", "--output", tmp_path / "t.jsonl", "--concurrency", 2)
    first = run("teach", *options, "--budget-requests", 10)
    assert first.returncode == 3
    assert "stopped: the budget of 10 requests is used up" in first.stderr
    second = run("teach", *options)
    assert second.returncode == 0
    assert len(server.requests) == 24
    assert len((tmp_path / "t.jsonl").read_text().splitlines()) == 8


def test_no_usable_answer_is_an_error(monkeypatch: pytest.MonkeyPatch, corpus: Path, tmp_path: Path) -> None:
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.001)
    with chat_server(lambda _: "") as running:
        options = (corpus, "--llm", f"{running.url}#m", "--output", tmp_path / "t.jsonl", "--retries", 0)
        done = run("teach", *options)
    refused(done, f"#m could be used; {tmp_path / 't.jsonl'} lists the faults")
    assert all(json.loads(line)["failed"] for line in (tmp_path / "t.jsonl").read_text().splitlines())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--llm", "http://127.0.0.1:9/v1#m"], "ConnectError"),
        (["--llm", "URL#m", "--mood", "401"], "key is missing or wrong"),
        (["--llm", "URL#m", "--mood", "404"], "requested model m"),
        (["--llm", "URL"], "#MODEL"),
        (["--llm", "gguf:none.gguf"], "no such file"),
        (["--llm", "URL#m", "--budget-requests", "0"], "budget of requests is 0"),
        (["--llm", "URL#m", "--budget-money", "1"], "needs the prices"),
        (["--llm", "URL#m", "--price", "cheap"], "--price 'cheap'"),
        (["--llm", "URL#m", "--aspects", "poem"], "prompt 'poem'"),
        (["--llm", "URL#m", "--characters", "5"], "--characters 5 is out of range; give a whole number, at least 200"),
    ],
)
def test_what_teach_cannot_do_is_one_line(
    server: ChatServer, corpus: Path, tmp_path: Path, options: list[str], words: str
) -> None:
    if "--mood" in options:
        server.moods = [options.pop()] * 99
        options.pop()
    given = [option.replace("URL", server.url) for option in options]
    refused(run("teach", corpus, "--output", tmp_path / "t.jsonl", *given), words)
    assert not (tmp_path / "t.jsonl").exists()


def test_an_empty_document_is_refused_with_its_line(server: ChatServer, tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"_id": "a", "text": "bread"}\n{"_id": "b", "text": " "}\n')
    done = run("teach", tmp_path / "c.jsonl", "--llm", f"{server.url}#m", "--output", tmp_path / "t.jsonl")
    refused(done, "c.jsonl, line 2: document 'b' has neither title nor text")


def test_a_document_of_200_kb_is_cut_and_counted(server: ChatServer, tmp_path: Path) -> None:
    lines = [{"_id": "a", "text": "bread " * 33_000}, {"_id": "b", "text": TEXT}]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = run("teach", tmp_path / "c.jsonl", "--llm", f"{server.url}#m", "--output", tmp_path / "t.jsonl")
    assert "1 documents are longer than 8,000 characters" in done.stderr


# ------------------------------------------------------------------ evaluate


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_benchmark(tmp_path / "toy")
    write_benchmark(tmp_path / "other")
    random_explainer().save(tmp_path / "x")
    monkeypatch.setenv("XETRIEVAL_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "extra"),
    [
        ("retrieval", []),
        ("retrieval", ["--view-weights", "learned"]),
        ("intervention", []),
        ("steering", ["--factors", "0,1", "--fraction", "0.5"]),
    ],
)
def test_every_evaluation_has_one_grammar(what: str, extra: list[str], world: Path) -> None:
    out = world / "records.json"
    sets = ("--data", "toy", "--data", world / "other")
    options = (*sets, "--explainer", world / "x", "--queries", 4, "--seed", 1, *extra)
    done = run("evaluate", what, *options, "--output", out, "--format", "json")
    assert done.returncode == 0, done.stderr
    records = json.loads(done.stdout)
    assert records == json.loads(out.read_text())
    assert {record["dataset"] for record in records} == {"toy", "other"}
    table = run("evaluate", what, *options).stdout
    assert "toy" in table
    assert "dataset" in table


@pytest.mark.parametrize("form", ["text", "json"])
def test_records_on_standard_output_are_one_array(world: Path, form: str) -> None:
    sets = ("--data", "toy", "--data", world / "other", "--explainer", world / "x", "--format", form)
    records = json.loads(run("evaluate", "retrieval", *sets, "--output", "-").stdout)
    assert [record["dataset"] for record in records] == ["toy"] * (len(records) // 2) + ["other"] * (len(records) // 2)
    refused(run("evaluate", "retrieval", *sets, "--output", world), "that is a folder")


def test_retrieval_compares_written_texts_on_the_documents_that_have_them(world: Path) -> None:
    lines = [{"_id": f"d{i}", "qa": f"what is t {i}", "summary": f"t {i}"} for i in range(3)]
    (world / "texts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    options = ("--data", "toy", "--explainer", world / "x", "--teacher", world / "texts.jsonl", "--format", "json")
    records = json.loads(run("evaluate", "retrieval", *options).stdout)
    assert [r["system"] for r in records] == ["none", "internalizer", "cot"]
    assert {(r["documents"], r["queries"]) for r in records} == {(3, 3)}
    assert records[2]["teacher"] == "texts.jsonl"


def test_what_evaluate_cannot_do_is_one_line(world: Path) -> None:
    x = ("--explainer", world / "x")
    refused(run("evaluate", "retrieval", "--data", "nowhere", *x), "nowhere: no such folder")
    refused(run("evaluate", "retrieval", "--data", "toy", *x, "--view-weights", "best"), "choose sum or learned")
    refused(run("evaluate", "retrieval", "--data", "toy", "--internalizers", world / "x"), "--internalizers needs")
    refused(run("evaluate", "steering", "--data", "toy", *x, "--factors", "a,b"), "--factors")
    (world / "toy" / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq0\td0\thigh\n")
    refused(run("evaluate", "intervention", "--data", "toy", *x), "line 2: the grade 'high'")


def test_ctrl_c_says_that_the_same_command_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("xetrieval.explain.load", interrupted)
    done = run("info")
    assert done.returncode == 130
    assert "interrupted; run the same command again to resume" in done.stderr
