"""Cases anywhere/: other consoles, other systems, and what any command line tool is asked for."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cases_data import accepted, refused, run
from conftest import random_explainer
from index_data import SMALL, records, write_corpus

import xetrieval
from xetrieval.cli import console
from xetrieval.cli.progress import progress_bar
from xetrieval.errors import InputError
from xetrieval.files import alone
from xetrieval.index import Corpus, Hit, build_index, open_index
from xetrieval.steer import SteeringProfile
from xetrieval.text import clip

SOURCE = Path(xetrieval.__file__).parent


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("anywhere") / "toy"
    random_explainer().save(folder)
    return folder


def python(code: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=60, env={**os.environ, **environment}
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii:strict"},
    ],
    ids=["cp1252", "latin1", "posix", "ascii"],
)
def test_all_numbers_are_there_whatever_the_console_takes(toy: Path, environment: dict[str, str]) -> None:
    given = ["explain", "red apple", "a red apple is no pear", "-x", str(toy)]
    code = f"import sys\nsys.argv = ['xetrieval', *{given!r}]\nfrom xetrieval.cli import main\nmain()"
    done = python(code, **environment)
    assert done.returncode == 0, done.stderr
    plain = python(code, PYTHONIOENCODING="utf-8")
    figures = re.compile(rb"[-+]\d\.\d{4}|\d+%")
    assert figures.findall(done.stdout) == figures.findall(plain.stdout) != []
    assert done.stdout.isascii(), "bars and rules are drawn in ASCII"
    assert not plain.stdout.isascii()


@pytest.mark.slow
def test_text_that_a_console_was_not_declared_to_take_is_utf8(toy: Path) -> None:
    given = ["explain", "красное яблоко", "яблоко 苹果", "-x", str(toy), "--format", "json"]
    code = f"import sys\nsys.argv = ['xetrieval', *{given!r}]\nfrom xetrieval.cli import main\nmain()"
    assert json.loads(python(code, PYTHONIOENCODING="cp1252").stdout)["shared_features"] is not None
    wrong = python(code.replace("'json'", "'яблоко'"), PYTHONIOENCODING="cp1252")
    assert wrong.returncode == 2
    assert "яблоко" in wrong.stderr.decode("utf-8")


@pytest.mark.slow
def test_every_module_loads_without_what_linux_alone_has() -> None:
    names = [
        ".".join(("xetrieval", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")
        for path in SOURCE.rglob("*.py")
        if path.stem != "__main__"
    ]
    code = (
        "import importlib, os, sys\n"
        "for name in ('fcntl', 'resource', 'pwd', 'grp', 'termios'):\n    sys.modules[name] = None\n"
        "for name in ('sched_getaffinity', 'fchmod', 'geteuid', 'getuid', 'mkfifo'):\n    delattr(os, name)\n"
        "import xetrieval\n"
        f"for name in {names!r}:\n"
        "    try:\n        importlib.import_module(name)\n"
        "    except xetrieval.errors.MissingExtra:\n"
        "        assert name.startswith('xetrieval.connect.'), name\n"
        "print(xetrieval.load('minilm').name)\n"
        "from xetrieval.extras import processors\n"
        "assert processors() == os.cpu_count()\n"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr.decode()


def test_a_lock_is_held_by_one_and_let_go_with_the_process(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom xetrieval.files import alone\n"
        f"with alone(Path({str(lock)!r}), 'taken'):\n"
        "    print('held', flush=True)\n    sys.stdin.read()\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(InputError, match="taken"), alone(lock, "taken"):
        pass
    holder.communicate(timeout=30)
    assert holder.returncode != 0
    with alone(lock, "taken"), pytest.raises(InputError, match="taken"), alone(lock, "taken"):
        pass


def test_the_package_says_that_it_is_typed() -> None:
    assert (SOURCE / "py.typed").is_file()


@pytest.mark.parametrize(
    "given", [["--version"], ["-V"], ["-h"], ["explain", "-h"], ["index", "-h"], ["index", "build", "--help"]]
)
def test_version_and_help_are_there_for_every_command(given: list[str]) -> None:
    done = accepted(run(*given))
    assert "xetrieval" in done.stdout
    assert not done.stderr
    if given[0] in ("--version", "-V"):
        assert done.stdout == f"xetrieval {xetrieval.__version__}\n"


def test_a_shell_can_have_its_completion(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shellingham.detect_shell", lambda *_: ("bash", "/bin/bash"))
        shown = accepted(run("--show-completion"))
        accepted(run("--install-completion"))
    assert "_XETRIEVAL_COMPLETE" in shown.stdout
    assert (tmp_path / ".bash_completions" / "xetrieval.sh").is_file()


def test_bytes_that_are_not_utf8_are_refused() -> None:
    code = "from xetrieval.cli import main\nmain()"
    done = subprocess.run([sys.executable, "-c", code, "search", "IX", b"\xff tyres"], capture_output=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr == b"xetrieval: argument 3, '\\udcff tyres': not UTF-8\n"


def test_what_typer_cannot_read_is_one_line_too(toy: Path) -> None:
    refused(run("explain", "a", "b", "--top", "-1"), "--top")
    refused(run("explain", "a", "b", "--top", "x" * 20_000), "--top")
    refused(run("explain", "a", "b", "--nosuch"), "--nosuch")
    refused(run("nosuch"), "nosuch")
    refused(run("search"), "INDEX", "xetrieval search --help")
    refused(run("explain", "a", "b", "-x", "n" * 20_000), "n")


def test_a_message_is_cut_in_its_middle() -> None:
    assert clip("short", 10) == "short"
    assert clip("begin" + "x" * 100 + "end", 20) == "beginxxxxxxx … xxend"
    assert len(str(InputError("y" * 10_000))) <= 480


def test_nothing_in_the_command_line_writes_past_the_console() -> None:
    allowed = {"console.py", "progress.py", "clean.py", "__init__.py"}  # the last before the console is loaded
    for path in (SOURCE / "cli").glob("*.py"):
        if path.name not in allowed:
            raw = re.findall(r"sys\.std(?:out|err)\.write|typer\.echo|(?<!\.)\bprint\(|[^n]Console\(", path.read_text())
            assert not raw, f"{path.name}: {raw}"


def test_json_is_json_and_no_terminal_obeys_it() -> None:
    record = {"a": "\x1b]0;t\x07 \x9b31m \u202e \ud800 é 苹", "b": float("nan"), "c": [float("inf"), 1.5]}
    text = console.as_json(record)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202e\ud800]", text)
    assert json.loads(text) == {"a": record["a"], "b": None, "c": [None, 1.5]}
    assert "苹" in text


def test_without_a_terminal_progress_is_a_line_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    at = [0.0]
    with progress_bar(clock=lambda: at[0]) as progress:
        for done in range(60):
            at[0] += 0.5
            progress("enc\x1b[31mode", done, 60, "\x1b]0;PWNED\x07 20/s")
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["enc[31mode: 19 of 60, ]0;PWNED 20/s", "enc[31mode: 39 of 60, ]0;PWNED 20/s",
                     "enc[31mode: 59 of 60, ]0;PWNED 20/s"]  # fmt: skip
    with progress_bar(clock=lambda: 0.0) as progress:
        progress("quick", 3, 3, "")
    assert capsys.readouterr().err == ""


@pytest.fixture(scope="module")
def small_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("small")
    rows = records(30)
    rows[3] |= {"_id": "far\x1b[31m" + "y" * 500, "title": "t" * 900 + "\u202e"}
    build_index(Corpus((write_corpus(home / "corpus.jsonl", rows),)), random_explainer(), home / "index", SMALL)
    return home / "index"


def test_a_repr_is_one_short_line_and_a_text_is_readable(small_index: Path) -> None:
    index = open_index(small_index)
    explainer = index.explainer
    hits = index.search("word1 " * 90, 30)
    last = hits[-1]
    answer = index.why("word1 " * 90, last.doc_id, k=3, counterfactual=True)
    assert answer.contrast is not None
    breakdown = index.search("word1", 1, by="sparse")[0].explanation
    pairs = explainer.explain_pairs(["red apple"] * 2, ["an apple is red"] * 2)
    shown = [explainer, explainer.sae, explainer.internalizers["qa"], explainer.encoder, index, last, hits[0], answer,
             answer.contrast, answer.explanation, answer.counterfactual, breakdown, pairs, last.query,
             index.codes(np.arange(30), "original"),
             SteeringProfile(dict.fromkeys(range(500), 2.0), "x"), *hits]  # fmt: skip
    for one in shown:
        assert len(repr(one)) < 200, repr(one)
        assert repr(one).isprintable()
    assert f"{last.score:.4f}" in str(last)
    assert "\x1b" not in str(last) + last._repr_html_()
    assert str(answer).splitlines()[0].endswith("rank 30 of 30")
    for part in (f"{answer.explanation.score:+.4f}", "compared with", "score", "top 3"):
        assert part in str(answer)
    for one in (last, answer):
        assert "<script" not in one._repr_html_()
        assert f"{one.score if isinstance(one, Hit) else one.rank}"[:5] in one._repr_html_()


FIGURE = re.compile(r"[-+]\d\.\d{4}|\d+%|\b\d+/\d+\b|\b\d\.\d{4}\b")


@pytest.mark.slow
@pytest.mark.parametrize("columns", [30, 40, 60, 79])
def test_a_narrow_terminal_loses_the_bar_and_never_a_figure(
    toy: Path, small_index: Path, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[tuple[object, ...]] = [
        ("explain", "red apple", "an apple is red", "-x", toy),
        ("explain", "red apple", "an apple is red", "-x", toy, "--over", "a pear", "--top", 3),
        ("search", small_index, "word1 word2", "--explain", "--overview", "--good", "d1"),
        ("search", small_index, "word1 word2", "--explain", "--by", "sparse"),
        ("why", small_index, "word1", "d1", "-k", 1, "--counterfactual"),
    ]
    if columns >= 60:
        commands += [
            ("index", "report", small_index),
            ("features", toy),
            ("steer", "apply", small_index, "a", "--set", "3=0"),
        ]
    for command in commands:
        monkeypatch.setenv("COLUMNS", "200")
        if "--overview" in command:
            ids = json.loads(run("search", small_index, "word1 word2", "--format", "json").stdout)["hits"]
            command = tuple(ids[0]["doc_id"] if word == "d1" else word for word in command)
        wide = accepted(run(*command)).stdout
        monkeypatch.setenv("COLUMNS", str(columns))
        narrow = accepted(run(*command)).stdout
        assert sorted(FIGURE.findall(narrow)) == sorted(FIGURE.findall(wide)) != [], command
        assert max(map(len, narrow.splitlines())) <= columns, command
        for text in (wide, narrow):
            assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_negative_parts_draw_to_the_left(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    done = accepted(run("explain", "red apple", "an apple is red", "-x", toy, "--over", "a pear", "--top", 6))
    drawn = [line for line in done.stdout.splitlines() if "│" in line]
    middle = {line.index("│") for line in drawn}
    assert len(middle) == 1
    for line in drawn:
        left, right = line[max(middle) - 1], line[max(middle) + 1 : max(middle) + 2].strip()
        difference = float(re.findall(r"[-+]\d\.\d{4}", line)[-1])
        if abs(difference) > 0.02:
            assert (left in "█▐", bool(right)) == (difference < 0, difference > 0), line


@pytest.mark.slow
def test_doctor_says_how_far_it_is_what_needs_no_query_and_the_command_for_a_refit(
    small_index: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("xetrieval.cli.progress.EVERY", 0.0)
    done = accepted(run("doctor", small_index))
    assert re.search(r"^encode: \d+ of \d+, titles$", done.stderr, flags=re.M)
    assert re.search(r"^explain: \d+ of \d+, [\d,.]+/s$", done.stderr, flags=re.M)
    rows = [{**row, "title": ""} for row in records(150)]
    build_index(Corpus((write_corpus(tmp_path / "cor pus.jsonl", rows),)), random_explainer(), tmp_path / "ix", SMALL)
    untitled = json.loads(accepted(run("doctor", tmp_path / "ix", "--format", "json")).stdout)
    assert untitled["queries"] == 0
    assert untitled["remainder"] is untitled["retention"] is None
    assert untitled["pairs_are"].startswith("documents")
    assert untitled["margin"] == pytest.approx(untitled["explained"] - untitled["explained_untrained"], abs=2e-4)
    assert 0 < untitled["fvu"] < 5
    assert any("--queries" in line for line in untitled["advice"])
    assert "FVU" in accepted(run("doctor", tmp_path / "ix")).stdout
    (tmp_path / "q.jsonl").write_text('{"_id": "q", "text": "word1"}\n')
    asked = json.loads(
        accepted(run("doctor", tmp_path / "ix", "--queries", tmp_path / "q.jsonl", "--format", "json")).stdout
    )
    refit = "xetrieval fit 'cor pus.jsonl' --encoder hashing:64 --output my-explainer"
    assert asked["remainder"] > 0.4
    assert asked["advice"][1].endswith(refit) or asked["advice"][0].endswith(refit)
