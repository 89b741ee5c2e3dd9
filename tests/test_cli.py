"""Every command as a person types it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import pytest
import torch
from conftest import documentation, random_explainer, random_internalizer, random_sae, unit
from test_sae import release_state

from xetrieval.cli import main
from xetrieval.explain import load
from xetrieval.internalizer import write_release_internalizer
from xetrieval.views import ASPECTS


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def run(*arguments: object) -> Done:
    """The command line in this process, as the console script calls it."""
    out, err = StringIO(), StringIO()
    code = 0
    with (
        redirect_stdout(out),
        redirect_stderr(err),
        mock.patch.object(sys, "argv", ["xetrieval", *map(str, arguments)]),
    ):
        try:
            main()
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else int(left.code is not None)
    return Done(code, out.getvalue(), err.getvalue())


def refused(done: Done, words: str) -> None:
    """One clear line, exit code 2, no traceback."""
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert lines[-1].startswith("xetrieval: ")
    assert words in lines[-1]
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "toy"
    random_explainer().save(folder)
    return folder


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    records = [
        {"query": "red apple", "doc": "an apple is red", "query_id": "q", "doc_id": f"d{i}", "extra": i}
        for i in range(3)
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_one_pair_as_text_and_as_json(toy: Path) -> None:
    text = run("explain", "red apple", "an apple is red", "--explainer", toy, "--top", 3)
    assert text.returncode == 0, text.stderr
    assert "remainder" in text.stdout
    assert "more features" in text.stdout
    record = json.loads(
        run("explain", "red apple", "an apple is red", "-x", toy, "--format", "json", "--top", 2).stdout
    )
    assert list(record) == [
        "score",
        "bias",
        "remainder",
        "terms",
        "other_terms",
        "mode",
        "query",
        "document",
        "explainer",
        "encoder",
        "read_query",
        "read_document",
        "per_view",
        "part_words",
        "shared_features",
        "weak_features",
        "explained",
        "explained_without_bias",
        "notes",
    ]
    assert list(record["per_view"]) == ["original", "qa", "summary", "purpose"]
    first = record["terms"][0]
    assert list(first) == ["kind", "feature_id", "label", "share", "query_activation", "view_activations", "words"]
    assert list(first["words"]) == ["query", "document", "shared"]
    assert set(first["words"]["query"]) <= {"red", "apple"}
    assert first["words"]["document"]
    shares = [entry["share"] for entry in record["terms"]]
    assert shares == sorted(shares, reverse=True)
    parts = record["bias"] + sum(shares) + record["other_terms"]["share"] + record["remainder"]
    assert parts == pytest.approx(record["score"], abs=1e-5)
    assert len(record["shared_features"]) == 2 + record["other_terms"]["count"]


@pytest.mark.slow
def test_evidence_and_contrast_as_text_and_as_json(toy: Path, pairs: Path, tmp_path: Path) -> None:
    pair = ("explain", "red apple", "an apple is red. the sky is blue", "-x", toy, "--top", 2)
    assert "where it comes from" in run(*pair, "--evidence").stdout
    record = json.loads(run(*pair, "--evidence", "--format", "json").stdout)
    shown = [entry["feature_id"] for entry in record["terms"]]
    assert [entry["feature_id"] for entry in record["terms"] if entry["evidence"]["document"]["sentences"]] == shown
    record = json.loads(run(*pair, "--chunks", "--format", "json").stdout)
    assert (record["chunk"], len(record["chunks"])) == (0, 1)
    over = run(*pair, "--over", "the sky is blue", "--counterfactual")
    assert "difference" in over.stdout
    assert "first document" in " ".join(over.stdout.split())
    for name, format in (("why.html", "html"), ("why.txt", "text"), ("why.json", "json")):
        done = run(*pair, "--format", format, "--output", tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
        assert "red apple" in (tmp_path / name).read_text() or format != "html"
        assert (tmp_path / name).read_text() == run(*pair, "--format", format).stdout or format == "text"
    record = json.loads(run(*pair, "--over", "the sky is blue", "--format", "json").stdout)
    assert record["difference"] == pytest.approx(record["first"]["score"] - record["second"]["score"])
    assert len(record["first"]["terms"]) == len(record["second"]["terms"]) == 2
    done = run("explain", "--input", pairs, "--output", tmp_path / "out.jsonl", "-x", toy, "--evidence", "--top", 1)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert records
    assert all(len(record["terms"]) == 1 and record["terms"][0]["evidence"] for record in records)


def test_a_file_of_pairs_becomes_a_file_of_explanations(toy: Path, pairs: Path, tmp_path: Path) -> None:
    done = run("explain", "--input", pairs, "--output", tmp_path / "out.jsonl", "-x", toy)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(r["query_id"], r["doc_id"]) for r in records] == [("q", "d0"), ("q", "d1"), ("q", "d2")]
    assert "other_terms" not in records[0]
    assert "query" not in records[0]  # the texts are in the file of pairs
    assert records[0]["explainer"] == "toy"


def test_text_past_the_limit_is_counted_and_said(toy: Path, tmp_path: Path) -> None:
    long = "word " * 300
    text = run("explain", "red apple", long, "-x", toy)
    assert "last 44 tokens of the document" in text.stdout
    record = json.loads(run("explain", "red apple", long, "-x", toy, "--format", "json").stdout)
    assert (record["read_query"]["unread"], record["read_document"]["unread"]) == (0, 44)


BAD = {
    "empty text": (b'{"query": "", "doc": "d"}\n', "line 2: field 'query' is empty"),
    "missing field": (b'{"query": "q"}\n', "line 2: field 'doc' is missing"),
    "not utf-8": (b'{"query": "\xff", "doc": "d"}\n', "line 2: not UTF-8"),
    "no json": (b"{'query'}\n", "line 2: not JSON"),
    "5 MB": (b'{"query": "q", "doc": "' + b"x " * 2_500_000 + b'"}\n', "line 2: longer than 4 MB"),
    "repeated ids": (
        b'{"query": "q", "doc": "d", "query_id": "q", "doc_id": "d0"}\n',
        "line 2: query_id 'q' with",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_line_stops_the_run_and_nothing_is_written(toy: Path, pairs: Path, tmp_path: Path, case: str) -> None:
    line, words = BAD[case]
    first, *rest = pairs.read_bytes().splitlines(keepends=True)
    pairs.write_bytes(first + line + b"".join(rest))
    done = run("explain", "--input", pairs, "--output", tmp_path / "out.jsonl", "-x", toy)
    refused(done, words)
    assert "--skip-bad" in done.stderr
    assert sorted(p.name for p in tmp_path.glob("*out*")) == []


def test_skip_bad_puts_bad_lines_beside_the_output(toy: Path, pairs: Path, tmp_path: Path) -> None:
    first, *rest = pairs.read_bytes().splitlines(keepends=True)
    bad = [line for line, _ in BAD.values()]
    pairs.write_bytes(first + b"".join(bad) + b"".join(rest))
    done = run("explain", "--input", pairs, "--output", tmp_path / "out.jsonl", "-x", toy, "--skip-bad")
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 3
    reasons = [json.loads(line) for line in (tmp_path / "out.jsonl.bad.jsonl").read_text().splitlines()]
    assert [r["line"] for r in reasons] == [2, 3, 4, 5, 6, 7]
    assert all(r["reason"] for r in reasons)
    assert "6 rows were left out" in done.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "the file is empty"), (b"{}\n", "no usable row"), (None, "no such file")],
)
def test_a_file_with_nothing_usable_is_refused(toy: Path, tmp_path: Path, content: bytes | None, words: str) -> None:
    source = tmp_path / "in.jsonl"
    if content is not None:
        source.write_bytes(content)
    refused(run("explain", "--input", source, "--output", tmp_path / "out.jsonl", "-x", toy, "--skip-bad"), words)
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give QUERY and DOCUMENT"),
        (("only a query",), "the document is missing"),
        (("q", " "), "document 1 is empty"),
        (("", "d"), "query 1 is empty"),
        (("--input", "x.jsonl"), "x.jsonl"),
        (("-", "-"), "only one text"),
        (("q", "d", "--encoder", "hashing:32"), "dimension 32 instead of 64"),
        (("q", "d", "--explainer", "absent"), "no explainer there"),
        (("--input", "x.jsonl", "--output", "y", "--over", "e"), "--over needs QUERY DOCUMENT"),
        (("q", "d", "--over", ""), "document 2 is empty"),
        (("q", "d", "--counterfactual"), "needs --over"),
        (("q", "d", "--over", "e", "--chunks"), "--chunks and --over cannot be combined"),
        (("--input", "x.jsonl", "--output", "y", "--format", "html"), "cannot be combined"),
        (("q", "d", "--output", "/proc/x/why.html"), "/proc"),
        (("q", "d", "--output", "/"), "that is a folder"),
    ],
)
def test_calls_that_make_no_sense_are_refused(toy: Path, arguments: tuple[str, ...], words: str) -> None:
    given = arguments if "--explainer" in arguments else (*arguments, "--explainer", str(toy))
    refused(run("explain", *given), words)


def test_an_unwritable_output_is_refused_before_any_work(toy: Path, pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    refused(
        run("explain", "--input", pairs, "--output", tmp_path / "file" / "out.jsonl", "-x", toy),
        "cannot write to",
    )
    refused(run("explain", "q", "d", "-x", toy, "--cache", tmp_path / "file" / "cache"), "cannot write to")


def test_vectors_that_exist_already_are_explained_without_texts(toy: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "q.npy", unit(3, seed=1))
    np.save(tmp_path / "d.npy", unit(3, seed=2))
    (tmp_path / "d.npy.ids.txt").write_text("x\ny\nz\n")
    done = run("explain", "--query-vectors", tmp_path / "q.npy", "--document-vectors", tmp_path / "d.npy", "-x", toy)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["doc_id"] for r in records] == ["x", "y", "z"]
    np.save(tmp_path / "d.npy", unit(3, 32, seed=2))
    refused(
        run(
            "explain",
            "--query-vectors",
            tmp_path / "q.npy",
            "--document-vectors",
            tmp_path / "d.npy",
            "-x",
            toy,
        ),
        "dimension is 32, expected 64",
    )
    refused(run("explain", "--query-vectors", tmp_path / "q.npy", "-x", toy), "needs --document-vectors")


def test_info_shows_what_an_explainer_is(toy: Path) -> None:
    assert "hashing:64" in run("info", toy).stdout
    facts = json.loads(run("info", toy, "--format", "json").stdout)
    assert (facts["features"], facts["k"], facts["named"]) == (128, 16, 64)
    refused(run("info", toy / "config.json"), "no explainer there")


def test_import_release_makes_a_folder_that_explains(tmp_path: Path) -> None:
    torch.save(release_state(random_sae(), ""), tmp_path / "sae_model.pt")
    for aspect in ASPECTS:
        write_release_internalizer(random_internalizer(form="paper"), tmp_path / f"model_{aspect}.pt")
    call = ("import-release", "--sae", tmp_path / "sae_model.pt", "--internalizers", tmp_path, "--encoder")
    done = run(*call, "hashing:64", "--output", tmp_path / "made")
    assert done.returncode == 0, done.stderr
    assert "score" in run("explain", "red apple", "an apple is red", "-x", tmp_path / "made").stdout
    refused(run(*call, "hashing:32", "--output", tmp_path / "other"), "different dimensions")
    refused(run(*call, "hashing:64", "--output", tmp_path / "made"), "exists already")
    assert not (tmp_path / "other").exists()


@pytest.mark.slow
def test_the_demo_answers_from_this_pythons_documentation(toy: Path) -> None:
    done = run("demo", "how do I open a file", "-x", toy, "--passages", 60)
    assert done.returncode == 0, done.stderr
    assert "Why " in done.stdout
    assert "60 passages" in done.stdout
    refused(run("demo", " ", "-x", toy, "--passages", 60), "the query is empty")


# ------------------------------------------------------------------ fit


@pytest.fixture(scope="module")
def records() -> list[dict]:
    return [{"_id": d.id, "title": d.fields["title"], "text": d.body} for d in documentation()[::2]]


@pytest.fixture
def corpus(tmp_path: Path, records: list[dict]) -> Path:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "corpus.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    return tmp_path / "corpus"


SMALL = ("--encoder", "hashing:48", "--teacher", "field:title", "--features", 96, "--l0", 6)


@pytest.mark.slow
def test_fit_makes_an_explainer_that_explains(corpus: Path, tmp_path: Path) -> None:
    done = run("fit", corpus, *SMALL, "--epochs", 3, "--output", tmp_path / "made")
    assert done.returncode == 0, done.stderr
    made = load(tmp_path / "made")
    assert made.views == ("original", "summary")
    assert made.provenance["documents"] == 150
    assert made.sae.k is None, "a fixed threshold"
    assert made.metrics["original"]["l0"] <= 10
    assert not (tmp_path / "made.work").exists()
    assert "score" in run("explain", "open a file", "open opens a file", "-x", tmp_path / "made").stdout
    refused(run("fit", corpus, *SMALL, "--output", tmp_path / "made"), "exists already")


@pytest.mark.slow
def test_a_fit_killed_in_training_goes_on_and_ends_the_same(corpus: Path, tmp_path: Path) -> None:
    call = ["fit", corpus, *SMALL, "--epochs", 25, "--name", "same", "--output"]
    command = [sys.executable, "-m", "xetrieval", *map(str, call), str(tmp_path / "made")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    work = tmp_path / "made.work"
    deadline = time.monotonic() + 120
    while not list(work.glob("*.checkpoint.*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was killed before it was done"
    assert not (tmp_path / "made").exists()
    resumed = run(*call, tmp_path / "made")
    assert resumed.returncode == 0, resumed.stderr
    assert run(*call, tmp_path / "whole").returncode == 0
    hashes = [json.loads((tmp_path / name / "config.json").read_text())["files"] for name in ("made", "whole")]
    assert hashes[0] == hashes[1]


def test_fit_without_a_teacher_has_the_original_view_alone(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text("".join(f'{{"_id": "{i}", "text": "x"}}\n' for i in range(40)))
    np.save(tmp_path / "v.npy", unit(40, 16))
    (tmp_path / "v.npy.ids.txt").write_text("".join(f"{i}\n" for i in range(40)))
    call = (
        "fit",
        tmp_path / "c.jsonl",
        "--encoder",
        f"vectors:{tmp_path / 'v.npy'}",
        "--features",
        32,
        "--l0",
        4,
    )
    done = run(*call, "--epochs", 2, "--output", tmp_path / "made")
    assert done.returncode == 0, done.stderr
    assert load(tmp_path / "made").views == ("original",)
    refused(run("explain", "q", "d", "-x", tmp_path / "made"), "has no encoder for text")
    other = ("--output", tmp_path / "other")
    refused(run(*call, "--teacher", "field:text", *other), "no document has a text in that field")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (("--l0", 500), "l0 = 500"),
        (("--form", "novel"), "form 'novel'"),
        (("--precision", "int8"), "precision 'int8'"),
        (("--teacher", "absent.jsonl"), "no such file"),
    ],
)
def test_fits_that_cannot_work_are_refused(corpus: Path, tmp_path: Path, extra: tuple, words: str) -> None:
    small = SMALL[: SMALL.index("--l0")] if extra[0] == "--l0" else SMALL
    refused(run("fit", corpus, *small, *extra, "--output", tmp_path / "made"), words)
    assert not (tmp_path / "made").exists()
